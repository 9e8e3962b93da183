import { roundUp } from '../device.js';
import { rowsPart, rowsShape } from '../graph/rows.js';
import {
  at,
  byteLength,
  type DeviceTraits,
  type Merge,
  type Node,
  type Operand,
  type RowCut,
  type RowRange,
  type Tensor,
} from '../graph/tensor.js';
import { Assembly, type Placed } from './assembly.js';
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
