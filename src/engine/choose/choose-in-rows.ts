import { roundUp } from '../device.js';
import { rowsPart, rowsShape } from '../graph/rows.js';
import {
  at,
  byteLength,
  type DeviceTraits,
  type Kernel,
  type KernelStep,
  type Merge,
  type Node,
  type Operand,
  type Part,
  type RowCut,
  type RowRange,
  type Scratch,
  type Tensor,
} from '../graph/tensor.js';
import { type Choices, type Chosen, choose } from './choose.js';
import { problemKey } from './problem-key.js';

/** A node that is computed in ranges of rows; see plan/cut-rows.ts. */
export interface NodeCut {
  readonly cut: RowCut;
  readonly ranges: readonly RowRange[];
  /** Operands with ranges that begin where nothing can be bound: these are copied to or from a place where it can. */
  readonly copied: ReadonlySet<Tensor>;
}

/**
 * The kernel of a node that is computed in ranges of rows: the kernels of the ranges one after another, each over its part
 * of the operands, then those that merge what the ranges gave. To the plan, the node is one as before.
 *
 * A range is a problem like any other, so its kernel is chosen, measured and remembered as if the batch were that small.
 */
export function chooseInRows(
  node: Node,
  { cut, ranges, copied }: NodeCut,
  traits: DeviceTraits,
  choices: Choices = {},
): Chosen {
  const assembly = new Assembly();
  const merges = cut.merge?.(ranges);
  const partials =
    merges && node.outputs.map((output) => roundUp(byteLength(output), traits.bindingAlignment));
  const gathered = partials?.map((bytes) => assembly.add({ kind: 'buffer', bytes: bytes * ranges.length }));
  const parts = new Map<string, Chosen>();
  const chosenFor = (problem: Node): Chosen => {
    const key = problemKey(problem);
    const chosen = parts.get(key) ?? choose(problem, traits, choices);
    parts.set(key, chosen);
    return chosen;
  };

  for (const [number, range] of ranges.entries()) {
    const { kernel } = chosenFor(nodeOfRange(node, cut, range));
    const place = (tensor: Tensor, whole: Operand, hasRows: boolean | undefined): Placed => {
      if (!hasRows) return { operand: whole };
      const part = rowsPart(tensor, range);
      return { operand: { ...whole, part }, copied: copied.has(tensor) };
    };
    assembly.append(kernel, {
      input: node.inputs.map((tensor, index) => place(tensor, { kind: 'input', index }, cut.inputs[index])),
      output: node.outputs.map((tensor, index) => {
        if (!partials || !gathered) return place(tensor, { kind: 'output', index }, true);
        const part = { offset: number * at(partials, index), bytes: byteLength(tensor) };
        return { operand: { kind: 'scratch', index: at(gathered, index), part } };
      }),
    });
  }
  for (const merge of merges ?? []) {
    const { kernel } = chosenFor(mergeNode(node, merge, ranges.length, traits));
    assembly.append(kernel, {
      input: merge.reads.map((index) => ({ operand: { kind: 'scratch', index: at(gathered ?? [], index) } })),
      output: merge.writes.map((index) => ({ operand: { kind: 'output', index } })),
    });
  }
  const names = new Set([...parts.values()].map(({ variant }) => variant));
  return {
    node,
    variant: `${[...names].join(', ')} in ${ranges.length} parts`,
    by: at([...parts.values()], 0).by,
    kernel: assembly,
    ranges,
    parts: [...parts.values()],
  };
}

/** The problems that a node poses to the choice of kernels: its own, or those of its ranges and their merge. */
export function problemsInRows(node: Node, { cut, ranges }: NodeCut, traits: DeviceTraits): Node[] {
  return [
    ...ranges.map((range) => nodeOfRange(node, cut, range)),
    ...(cut.merge?.(ranges) ?? []).map((merge) => mergeNode(node, merge, ranges.length, traits)),
  ];
}

/** The node over a range of rows alone; its tensors serve as shapes only. */
export function nodeOfRange(node: Node, cut: RowCut, range: RowRange): Node {
  const cropped = (tensor: Tensor): Tensor => ({ ...tensor, shape: rowsShape(tensor.shape, range) });
  return {
    ...node,
    attributes: cut.attributes(range),
    inputs: node.inputs.map((tensor, i) => (cut.inputs[i] ? cropped(tensor) : tensor)),
    outputs: cut.merge ? node.outputs : node.outputs.map(cropped),
  };
}

function mergeNode(
  node: Node,
  { op, attributes, reads, writes }: Merge,
  count: number,
  traits: DeviceTraits,
): Node {
  const gathered = (index: number): Tensor => {
    const output = at(node.outputs, index);
    return { ...output, shape: [count, roundUp(byteLength(output), traits.bindingAlignment) / 4] };
  };
  return {
    op,
    attributes,
    inputs: reads.map(gathered),
    outputs: writes.map((index) => at(node.outputs, index)),
    label: node.label,
  };
}

/** Where an operand of a kernel that is part of another lies. */
interface Placed {
  readonly operand: Operand;
  /** It is not bound there, but copied. */
  readonly copied?: boolean;
}

/** Kernels one after another as one. */
class Assembly implements Kernel {
  readonly scratch: Scratch[] = [];
  readonly steps: KernelStep[] = [];
  /** How much of the scratch the kernels before have brought for themselves: others may have it afterwards. */
  #kept = 0;

  /** Memory that nothing else uses. */
  add(need: Scratch): number {
    this.#kept++;
    return this.scratch.push(need) - 1;
  }

  append(kernel: Kernel, places: Readonly<Record<'input' | 'output', readonly Placed[]>>): void {
    const taken = new Set<number>();
    const own = kernel.scratch.map((need) => this.#share(need, taken));
    const before: KernelStep[] = [];
    const after: KernelStep[] = [];
    const copies = new Map<Operand, Operand>();
    const bound = ({ operand, copied }: Placed, kind: 'input' | 'output'): Operand => {
      if (!copied || !operand.part) return operand;
      const known = copies.get(operand);
      if (known) return known;
      const { bytes } = operand.part;
      const copy = {
        kind: 'scratch',
        index: this.#share({ kind: 'buffer', bytes }, taken),
        part: whole(bytes),
      } as const;
      copies.set(operand, copy);
      if (kind === 'input') before.push({ kind: 'copy', from: operand, to: copy });
      else after.push({ kind: 'copy', from: copy, to: operand });
      return copy;
    };
    const moved = (operand: Operand): Operand => {
      const { kind, index, part } = operand;
      const base: Operand =
        kind === 'scratch'
          ? { kind, index: at(own, index), ...sized(at(kernel.scratch, index)) }
          : bound(at(places[kind], index), kind);
      return part ? { ...base, part: within(base.part, part) } : base;
    };
    const steps = kernel.steps.map((step): KernelStep => {
      if (step.kind === 'texture-copy') return { ...step, from: moved(step.from), to: at(own, step.to) };
      if (step.kind === 'copy') return { ...step, from: moved(step.from), to: moved(step.to) };
      const bindings = step.bindings.map((binding) => ({ ...binding, operand: moved(binding.operand) }));
      return { ...step, bindings };
    });
    this.steps.push(...before, ...steps, ...after);
  }

  /** Memory for one kernel, which a kernel before may have used. @param taken by this kernel already */
  #share(need: Scratch, taken: Set<number>): number {
    const { scratch } = this;
    let index = scratch.findIndex(
      (known, i) => i >= this.#kept && !taken.has(i) && larger(known, need) !== undefined,
    );
    if (index < 0) index = scratch.push(need) - 1;
    scratch[index] = larger(at(scratch, index), need) ?? need;
    taken.add(index);
    return index;
  }
}

/** What serves both needs, one after the other; undefined where nothing does. */
function larger(a: Scratch, b: Scratch): Scratch | undefined {
  if (a.kind === 'buffer') return b.kind !== 'buffer' ? undefined : b.bytes > a.bytes ? b : a;
  if (b.kind === 'buffer' || a.width !== b.width || a.format !== b.format) return undefined;
  return b.height > a.height ? b : a;
}

/** The part of shared scratch that a kernel has asked for. */
function sized(need: Scratch): { readonly part?: Part } {
  return need.kind === 'buffer' ? { part: whole(need.bytes) } : {};
}

function whole(bytes: number): Part {
  return { offset: 0, bytes };
}

function within(outer: Part | undefined, { offset, bytes }: Part): Part {
  return { offset: (outer?.offset ?? 0) + offset, bytes };
}
