import type { Arena } from './arena.js';
import { buildCommands } from './build.js';
import type { Preference } from './choose.js';
import type { Device } from './device.js';
import { ShapeError } from './errors.js';
import { type Location, planMemory } from './plan.js';
import { Program } from './program.js';
import { rewrite } from './rewrite.js';
import { byteLength, describe, type Graph, type Node, type Tensor } from './tensor.js';

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
}

export async function compile(device: Device, options: CompileOptions): Promise<Program> {
  const { graph, outputs = [], records = [], arenas = {}, preference = {} } = options;
  const keep = new Set([...outputs, ...records]);
  const nodes = rewrite(graph.nodes, keep, device.traits);
  const { leaves, owned } = await allocateLeaves(device, graph, nodes, keep, arenas);
  const plan = planMemory(nodes, keep, leaves, {
    traits: device.traits,
    maxBufferBytes: device.gpu.limits.maxBufferSize,
    preference,
  });
  const built = await buildCommands(device, plan);
  const capacity = options.recordCapacity ?? 64;
  return Program.create(
    device,
    graph,
    { ...built, owned: [...owned, ...built.owned] },
    { records, capacity },
  );
}

/** Buffers for inputs and constants, ranges of arenas for variables. */
async function allocateLeaves(
  device: Device,
  graph: Graph,
  nodes: readonly Node[],
  keep: ReadonlySet<Tensor>,
  arenas: Readonly<Record<string, Arena>>,
): Promise<{ leaves: Map<Tensor, Location>; owned: GPUBuffer[] }> {
  const leaves = new Map<Tensor, Location>();
  const owned: GPUBuffer[] = [];
  const used = new Set<Tensor>([...keep, ...graph.inputs.values(), ...nodes.flatMap((node) => node.inputs)]);
  for (const tensor of used) {
    const { source } = tensor;
    const bytes = byteLength(tensor);
    if (source.kind === 'variable') {
      const arena = arenas[source.arena];
      if (!arena) throw new ShapeError(`no arena "${source.arena}" was given for variable "${source.name}"`);
      const place = arena.locate(source.name);
      if (place.bytes !== bytes) {
        throw new ShapeError(
          `${source.arena}/${source.name} is ${place.bytes} bytes, the graph wants ${describe(tensor)}`,
        );
      }
      leaves.set(tensor, { kind: 'external', ...place });
    } else if (source.kind !== 'op') {
      const label = source.kind === 'input' ? `input ${source.name}` : 'constant';
      const buffer = await device.createBuffer(label, bytes);
      owned.push(buffer);
      if (source.kind === 'constant') device.write(buffer, 0, source.values);
      leaves.set(tensor, { kind: 'external', buffer, offset: 0, bytes });
    }
  }
  return { leaves, owned };
}
