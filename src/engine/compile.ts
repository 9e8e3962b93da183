import type { Arena } from './arena.js';
import { buildCommands } from './build.js';
import { choose, type Preference } from './choose.js';
import type { Device } from './device.js';
import { KernelError } from './errors.js';
import { type NarrowOptions, narrow } from './narrow.js';
import { type Plan, planMemory } from './plan.js';
import { Program } from './program.js';
import { rewrite } from './rewrite.js';
import type { Graph, Tensor } from './tensor.js';

/**
 * From a traced graph to something that runs: rewrite → plan (choose, place) → build → a `Program` with every buffer,
 * pipeline and bind group made. Nothing is allocated by a run.
 */
export interface CompileOptions {
  readonly graph: Graph;
  /** Tensors that `Program.read` may be asked for. */
  readonly outputs?: readonly Tensor[];
  /** Scalars kept run by run, see `Program.history`. */
  readonly records?: readonly Tensor[];
  /** How many runs the history holds before it must be read. */
  readonly recordCapacity?: number;
  /** The arenas that the graph's variables name. */
  readonly arenas?: Readonly<Record<string, Arena>>;
  /** Kernel variants to take instead of the rule's choice, by op name. */
  readonly preference?: Preference;
  /** Keep large intermediates as f16, and read variables from f16 copies where there are any; see narrow.ts. */
  readonly halves?: NarrowOptions;
}

export async function compile(device: Device, options: CompileOptions): Promise<Program> {
  const { graph, records = [], recordCapacity: capacity = 64 } = options;
  const plan = planProgram(device, options);
  const built = await buildCommands(device, plan);
  return Program.create(device, { graph, plan, built }, { records, capacity });
}

/** What `compile` would build, and the memory that it would take. Allocates nothing. */
export function planProgram(device: Device, options: CompileOptions): Plan {
  const { graph, outputs = [], records = [], arenas = {}, preference = {} } = options;
  const { traits } = device;
  const keep = new Set([...outputs, ...records]);
  if (options.halves && !traits.f16) {
    throw new KernelError(`${device.description} has no f16 (shader-f16): compute in f32`);
  }
  const rewritten = rewrite(graph.nodes, keep, traits);
  const nodes = options.halves ? narrow(rewritten, keep, options.halves) : rewritten;
  return planMemory(nodes, {
    keep,
    inputs: graph.inputs.values(),
    arenas,
    traits,
    maxBufferBytes: device.gpu.limits.maxBufferSize,
    choose: (node) => choose(node, traits, preference),
  });
}
