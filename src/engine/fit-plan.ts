import type { Chosen } from './choose.js';
import { megabytes } from './device.js';
import { MemoryBudgetError } from './errors.js';
import { DropSearch } from './memory-budget.js';
import { type Plan, type PlanOptions, planMemory } from './plan.js';
import { Recomputer } from './recompute.js';
import type { Node } from './tensor.js';

/** A plan within a memory budget, recomputing as little as is needed for it. */

export interface FitOptions {
  /** After all other rewrites. */
  readonly nodes: readonly Node[];
  /** Bytes that everything may take. */
  readonly budget: number;
}

/** How often the aim is lowered by what a plan took beyond it. */
const ATTEMPTS = 6;

/** How much smaller the peak must get at each step of the search for the smallest: coarse, then fine. */
const DESCENT = [0.9, 0.98] as const;

/** @throws MemoryBudgetError where no plan was found that fits, and what `planMemory` throws */
export function fitPlan({ nodes, budget }: FitOptions, options: PlanOptions): Plan {
  const recomputer = new Recomputer(nodes, options.keep);
  const kernels = new Map<Node, Chosen>();
  const choose = (node: Node): Chosen => {
    const origin = recomputer.originOf(node);
    const chosen = kernels.get(origin) ?? options.choose(origin);
    kernels.set(origin, chosen);
    return { ...chosen, node };
  };
  const first = planMemory(nodes, { ...options, choose });
  if (first.bytes.total <= budget) return first;

  const stored = nodes
    .filter(({ op }) => !op.alias)
    .flatMap(({ outputs }) => outputs.filter((output) => first.locate(output).kind === 'arena'));
  const search = new DropSearch(recomputer, {
    nodes,
    keep: options.keep,
    elsewhere: new Set(stored),
    scratchBytes: (node) => (kernels.has(node) ? scratchBytes(choose(node)) : 0),
  });
  const planWith = (dropped: ReadonlySet<Node>): Planned => {
    const rewritten = recomputer.apply(dropped) ?? nodes;
    return { dropped, nodes: rewritten, plan: planMemory(rewritten, { ...options, choose }) };
  };
  const found =
    aimAt(budget - first.bytes.total + first.bytes.intermediates, budget, search, planWith) ??
    descend(budget, search, planWith);
  if (found.plan.bytes.total > budget) {
    throw new MemoryBudgetError(describeMisfit(budget, first, found), found.plan.bytes.total);
  }
  const flops = totalFlops(found.nodes);
  return {
    ...found.plan,
    recomputation: {
      recomputed: found.dropped.size,
      candidates: search.candidates.length,
      flops,
      extraFlops: flops - totalFlops(nodes),
      savedBytes: first.bytes.total - found.plan.bytes.total,
    },
  };
}

interface Planned {
  readonly dropped: ReadonlySet<Node>;
  readonly nodes: readonly Node[];
  readonly plan: Plan;
}

/** Straight to the budget. A plan takes a little more than what is alive at once, so the aim may have to be lower. */
function aimAt(
  aim: number,
  budget: number,
  search: DropSearch,
  planWith: (dropped: ReadonlySet<Node>) => Planned,
): Planned | undefined {
  let dropped: ReadonlySet<Node> | undefined = new Set<Node>();
  let lowered = aim;
  for (let attempt = 0; attempt < ATTEMPTS && lowered > 0; attempt++) {
    dropped = search.extend(dropped, lowered);
    if (!dropped) return undefined;
    const planned = planWith(dropped);
    const beyond = planned.plan.bytes.total - budget;
    if (beyond <= 0) return planned;
    lowered -= beyond;
  }
  return undefined;
}

/**
 * Down to the smallest plan in small steps, whatever it costs, stopping at the first that fits. The way does not depend
 * on the budget, so that a budget of the smallest size ever reported does fit.
 */
function descend(
  budget: number,
  search: DropSearch,
  planWith: (dropped: ReadonlySet<Node>) => Planned,
): Planned {
  let dropped: ReadonlySet<Node> = new Set<Node>();
  let smallest = planWith(dropped);
  for (const factor of DESCENT) {
    while (smallest.plan.bytes.total > budget) {
      const next = search.extend(dropped, search.peak(dropped) * factor);
      if (!next) break;
      dropped = next;
      const planned = planWith(dropped);
      if (planned.plan.bytes.total < smallest.plan.bytes.total) smallest = planned;
    }
  }
  return smallest;
}

function describeMisfit(budget: number, first: Plan, smallest: Planned): string {
  const { arenas, leaves, textures, intermediates, total } = smallest.plan.bytes;
  return (
    `the program takes ${megabytes(first.bytes.total)}, and ${megabytes(total)} where as much as possible is recomputed: ` +
    `more than the ${megabytes(budget)} allowed (parameters and the like ${megabytes(arenas)}, inputs and constants ` +
    `${megabytes(leaves)}, textures ${megabytes(textures)}, intermediates ${megabytes(intermediates)})`
  );
}

function scratchBytes({ kernel }: Chosen): number {
  return kernel.scratch.reduce((sum, need) => sum + (need.kind === 'buffer' ? need.bytes : 0), 0);
}

function totalFlops(nodes: readonly Node[]): number {
  return nodes.reduce(
    (sum, { op, inputs, outputs, attributes }) => sum + op.flops({ inputs, outputs, attributes }),
    0,
  );
}
