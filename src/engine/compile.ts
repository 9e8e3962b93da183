import type { ArenaPlan } from './arena.js';
import { choose, type KnownVariants, type Preference } from './choose/choose.js';
import { chooseInRows, type NodeCut, problemsInRows } from './choose/choose-in-rows.js';
import type { Tuning } from './choose/tune.js';
import type { Device, PlanTarget } from './device.js';
import { type NarrowOptions, narrow, requireF16 } from './graph/narrow.js';
import { rewrite } from './graph/rewrite.js';
import type { Graph, Node, Tensor } from './graph/tensor.js';
import { cutRows } from './plan/cut-rows.js';
import { fitPlan } from './plan/fit-plan.js';
import { type Plan, type PlanOptions, planMemory } from './plan/plan.js';
import { buildCommands } from './run/build.js';
import { Program } from './run/program.js';
import type { Expectation } from './run/submit-pieces.js';

/**
 * From a traced graph to something that runs: rewrite → cut what is too large → tune, where asked for → plan (choose, place) → build → a
 * `Program` with every buffer, pipeline and bind group made. Nothing is allocated by a run.
 */
export interface CompileOptions {
  readonly graph: Graph;
  /** Tensors that `Program.read` may be asked for. */
  readonly outputs?: readonly Tensor[];
  /** Scalars recorded run by run, see `Program.history`. */
  readonly records?: readonly Tensor[];
  /** How many runs the history holds before it must be read. */
  readonly recordCapacity?: number;
  /** The arenas that the graph's variables name; to compile, they must have memory (`Arena`). */
  readonly arenas?: Readonly<Record<string, ArenaPlan>>;
  /** Kernel variants to take instead of the rule's choice, by op name. */
  readonly preference?: Preference;
  /** Knows or measures which variants are fastest here. Absent: the rule decides. */
  readonly tuning?: Tuning | undefined;
  /** How often the program is likely to run: whether measuring pays. Default 1. */
  readonly runs?: number | undefined;
  /** Store large intermediates as f16, and read variables from f16 copies where there are any; see narrow.ts. */
  readonly halves?: NarrowOptions;
  /**
   * Bytes that the program may take on the device, arenas included. Where it would take more, values are computed twice
   * instead of staying in memory, with the same results to the last bit.
   */
  readonly memory?: number | undefined;
  /** Milliseconds to expect of each op, see submit-pieces.ts. Absent: on a GPU measured, elsewhere no matter. */
  readonly expectation?: Expectation | undefined;
}

export async function compile(device: Device, options: CompileOptions): Promise<Program> {
  const { graph, records = [], recordCapacity: capacity = 64, tuning, runs = 1, expectation } = options;
  const nodes = rewritten(device, options);
  const { traits } = device;
  const cuts = cutRows(nodes, traits);
  const problems = nodes.flatMap((node) => {
    const cut = cuts.get(node);
    return cut ? problemsInRows(node, cut, traits) : [node];
  });
  const plan = planNodes(device, options, { nodes, cuts }, await tuning?.variantsFor(problems, runs));
  const built = await buildCommands(device, plan);
  return Program.create(device, { graph, plan, built, expectation }, { records, capacity });
}

/** The plan that `compile` would build by the rule, with its memory. Allocates nothing. */
export function planProgram(target: PlanTarget, options: CompileOptions): Plan {
  const nodes = rewritten(target, options);
  return planNodes(target, options, { nodes, cuts: cutRows(nodes, target.traits) });
}

function rewritten(target: PlanTarget, options: CompileOptions): Node[] {
  const { graph, halves } = options;
  if (halves) requireF16(target);
  const nodes = rewrite(graph.nodes, resultsOf(options), target.traits);
  return halves ? narrow(nodes, resultsOf(options), halves) : nodes;
}

function planNodes(
  { traits }: PlanTarget,
  options: CompileOptions,
  { nodes, cuts }: { readonly nodes: readonly Node[]; readonly cuts: ReadonlyMap<Node, NodeCut> },
  known?: KnownVariants,
): Plan {
  const { graph, arenas = {}, preference, memory } = options;
  const planOptions: PlanOptions = {
    results: resultsOf(options),
    inputs: [...graph.inputs.values()],
    arenas,
    traits,
    choose(node) {
      const cut = cuts.get(node);
      const choices = { preference, known };
      return cut ? chooseInRows(node, cut, traits, choices) : choose(node, traits, choices);
    },
  };
  return memory === undefined
    ? planMemory(nodes, planOptions)
    : fitPlan({ nodes, budget: memory }, planOptions);
}

/** The tensors that are read after a run. */
function resultsOf({ outputs = [], records = [] }: CompileOptions): Set<Tensor> {
  return new Set([...outputs, ...records]);
}
