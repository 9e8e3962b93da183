import { formatByteSize } from '../../text/byte-size.js';
import type { Chosen } from '../choose/choose.js';
import { MemoryBudgetError } from '../errors.js';
import type { Node } from '../graph/tensor.js';
import { DropSearch } from './memory-budget.js';
import { type Plan, type PlanOptions, planMemory } from './plan.js';
import { Recomputer } from './recompute.js';

/** A plan within a memory budget, recomputing as little as is needed for it. */
export interface FitOptions {
  /** After all other rewrites. */
  readonly nodes: readonly Node[];
  /** Bytes that everything may take. */
  readonly budget: number;
}

/** How often the aim is lowered by a plan's excess. */
const ATTEMPTS = 6;

/** How much smaller the peak must get at each step of the search for the smallest: coarse, then fine. */
const DESCENT = [0.9, 0.98] as const;

/** @throws MemoryBudgetError where no plan was found that fits, and the errors of `planMemory` */
export function fitPlan({ nodes, budget }: FitOptions, options: PlanOptions): Plan {
  const recomputer = new Recomputer(nodes, options.results);
  const kernels = new Map<Node, Chosen>();
  const choose = (node: Node): Chosen => {
    const origin = recomputer.originOf(node);
    const chosen = kernels.get(origin) ?? options.choose(origin);
    kernels.set(origin, chosen);
    return { ...chosen, node };
  };
  const planOf = (rewritten: readonly Node[]): Plan => planMemory(rewritten, { ...options, choose });
  const first = planOf(nodes);
  if (first.bytes.total <= budget) return first;

  const stored = nodes
    .filter(({ op }) => !op.alias)
    .flatMap(({ outputs }) => outputs.filter((output) => first.locate(output).kind === 'arena'));
  const common = {
    nodes,
    results: options.results,
    elsewhere: new Set(stored),
    scratchBytes: (node: Node) => (kernels.has(node) ? scratchBytes(choose(node)) : 0),
  };
  const attempts = [true, false].map(
    (hold) => new Attempt(new DropSearch(recomputer, { ...common, hold }), planOf, budget),
  );
  const beside = first.bytes.total - first.bytes.intermediates;
  const direct = attempts.flatMap((attempt) => attempt.aimAt(budget - beside) ?? []);
  const found = direct.length > 0 ? direct : attempts.map((attempt) => attempt.descend());
  const [best] = found.sort((a, b) => beyond(a, budget) - beyond(b, budget) || a.flops - b.flops);
  if (!best || beyond(best, budget) > 0) {
    throw new MemoryBudgetError(
      describeMisfit(budget, first, best?.plan ?? first),
      best?.plan.bytes.total ?? 0,
    );
  }
  return {
    ...best.plan,
    recomputation: {
      recomputed: best.dropped.size,
      candidates: attempts[0]?.search.candidates.length ?? 0,
      flops: best.flops,
      extraFlops: best.flops - totalFlops(nodes),
      savedBytes: first.bytes.total - best.plan.bytes.total,
    },
  };
}

interface Planned {
  readonly dropped: ReadonlySet<Node>;
  readonly plan: Plan;
  readonly flops: number;
}

/** One search, on its way to plans that are compared with the budget. */
class Attempt {
  constructor(
    readonly search: DropSearch,
    readonly planOf: (nodes: readonly Node[]) => Plan,
    readonly budget: number,
  ) {}

  /**
   * Goes straight to so many bytes of intermediates. A plan takes a little more than its live bytes, so the aim may have to
   * be lower.
   * @returns a plan that fits, or undefined
   */
  aimAt(aim: number): Planned | undefined {
    let dropped: ReadonlySet<Node> | undefined = new Set<Node>();
    let lowered = aim;
    for (let attempt = 0; attempt < ATTEMPTS && lowered > 0; attempt++) {
      dropped = this.search.extend(dropped, lowered);
      if (!dropped) return undefined;
      const planned = this.#plan(dropped);
      const excess = beyond(planned, this.budget);
      if (excess <= 0) return planned;
      lowered -= excess;
    }
    return undefined;
  }

  /**
   * Down to the smallest plan in small steps, whatever it costs, stopping at the first that fits. The way does not
   * depend on the budget, so that a budget of the smallest size ever reported does fit.
   */
  descend(): Planned {
    let dropped: ReadonlySet<Node> = new Set<Node>();
    let smallest = this.#plan(dropped);
    for (const factor of DESCENT) {
      while (beyond(smallest, this.budget) > 0) {
        const next = this.search.extend(dropped, this.search.peak(dropped) * factor);
        if (!next) break;
        dropped = next;
        const planned = this.#plan(dropped);
        if (planned.plan.bytes.total < smallest.plan.bytes.total) smallest = planned;
      }
    }
    return smallest;
  }

  #plan(dropped: ReadonlySet<Node>): Planned {
    const nodes = this.search.apply(dropped);
    return { dropped, plan: this.planOf(nodes), flops: totalFlops(nodes) };
  }
}

/** Bytes that a plan takes beyond the budget, 0 where it fits. */
function beyond({ plan }: Planned, budget: number): number {
  return Math.max(0, plan.bytes.total - budget);
}

function describeMisfit(budget: number, first: Plan, smallest: Plan): string {
  const { arenas, leaves, textures, intermediates, total } = smallest.bytes;
  return (
    `the program takes ${formatByteSize(first.bytes.total)}, and ${formatByteSize(total)} where as much as possible is recomputed: ` +
    `more than the ${formatByteSize(budget)} allowed (parameters and the like ${formatByteSize(arenas)}, inputs and constants ` +
    `${formatByteSize(leaves)}, textures ${formatByteSize(textures)}, intermediates ${formatByteSize(intermediates)})`
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
