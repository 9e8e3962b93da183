import type { Device } from '../device.js';
import { KernelError } from '../errors.js';
import { at, elementCount, type Node, type Tensor, type TensorSpec } from './tensor.js';

/**
 * Mixed precision as a decision about storage: kernels compute in f32 always, and large tensors between them are stored as
 * f16, half the memory and half the traffic. Ops say which of their operands they can read or write that way
 * (`Op.halves`); a tensor is narrowed where its producer and all its readers can. So sums, statistics, losses and the
 * gradients of parameters stay f32 without being named here.
 *
 * Gradients of activations are too small for f16 unless the loss is scaled: see kernels/loss/loss-scale.ts.
 */
export interface NarrowOptions {
  /** Arenas that hold f16 copies of other arenas' variables, by the name of the original. */
  readonly copies: Readonly<Record<string, string>>;
}

/** Tensors below this many elements stay as they are: there is nothing to gain. */
const LEAST_ELEMENTS = 4096;

/** @throws KernelError where the device's kernels cannot hold f16 */
export function requireF16({ traits, description }: Pick<Device, 'traits' | 'description'>): void {
  if (!traits.f16) throw new KernelError(`${description} has no f16 (shader-f16): compute in f32`);
}

/**
 * @param nodes as they will run @param results tensors that are read after the run: they stay f32
 * @returns the same nodes over narrowed tensors
 */
export function narrow(
  nodes: readonly Node[],
  results: ReadonlySet<Tensor>,
  { copies }: NarrowOptions,
): Node[] {
  const narrowed = new Map<Tensor, Tensor>();
  const hasCopy = (tensor: Tensor) =>
    tensor.source.kind === 'variable' && Object.hasOwn(copies, tensor.source.arena) && worthwhile(tensor);
  for (const group of storageGroups(nodes, hasCopy)) {
    if (group.tensors.some((tensor) => results.has(tensor)) || !group.fits) continue;
    for (const tensor of group.tensors) narrowed.set(tensor, { ...tensor, dtype: 'f16' });
  }
  const aliasNarrowed = ({ op, outputs }: Node) => op.alias === true && narrowed.has(at(outputs, 0));
  const copyOf = (tensor: Tensor): Tensor => {
    const { source, graph, shape } = tensor;
    const arena = source.kind === 'variable' ? copies[source.arena] : undefined;
    if (source.kind !== 'variable' || arena === undefined || !worthwhile(tensor)) return tensor;
    return graph.variable(arena, source.name, shape, 'f16');
  };
  return nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(
      (tensor, i) =>
        narrowed.get(tensor) ??
        (accepts(node.op.halves?.inputs, i) || aliasNarrowed(node) ? copyOf(tensor) : tensor),
    ),
    outputs: node.outputs.map((tensor) => narrowed.get(tensor) ?? tensor),
  }));
}

/** A tensor with its aliases, which share its bytes, and whether every op that touches them accepts f16. */
interface StorageGroup {
  readonly tensors: Tensor[];
  fits: boolean;
}

/** @param hasCopy whether a variable can be read as f16, which its aliases then are: a weight that was reshaped */
function storageGroups(nodes: readonly Node[], hasCopy: (tensor: Tensor) => boolean): Iterable<StorageGroup> {
  const groups = new Map<Tensor, StorageGroup>();
  const sums = statistics(nodes);
  for (const { op, inputs, outputs } of nodes) {
    const copied = op.alias && hasCopy(at(inputs, 0)) ? { tensors: [], fits: true } : undefined;
    const source = op.alias ? (groups.get(at(inputs, 0)) ?? copied) : undefined;
    if (op.alias && !source) continue;
    for (const [i, output] of outputs.entries()) {
      const narrowable = worthwhile(output) && accepts(op.halves?.outputs, i) && !sums.has(output);
      const group = source ?? { tensors: [], fits: narrowable };
      group.tensors.push(output);
      groups.set(output, group);
    }
    if (op.alias) continue;
    for (const [i, input] of inputs.entries()) {
      const group = groups.get(input);
      if (group && !accepts(op.halves?.inputs, i)) group.fits = false;
    }
  }
  return new Set(groups.values());
}

/**
 * Statistics stay f32: sums and moments, which ops write as f32 although they read f16, and values that are computed from
 * those alone, such as norms. They are few, have a range of their own, and each decides about many other values.
 */
function statistics(nodes: readonly Node[]): Set<Tensor> {
  const found = new Set<Tensor>();
  for (const { op, inputs, outputs } of nodes) {
    for (const [i, output] of outputs.entries()) {
      const size = elementCount(output.shape);
      const alike = inputs.filter(({ shape }) => elementCount(shape) === size);
      const derived = alike.length > 0 && alike.every((input) => found.has(input));
      if (derived || (op.halves && !accepts(op.halves.outputs, i))) found.add(output);
    }
  }
  return found;
}

function worthwhile({ dtype, shape }: TensorSpec): boolean {
  return dtype === 'f32' && elementCount(shape) >= LEAST_ELEMENTS;
}

function accepts(operands: 'all' | readonly number[] | undefined, index: number): boolean {
  return operands === 'all' || (operands?.includes(index) ?? false);
}
