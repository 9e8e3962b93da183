import type { DeviceTraits, DType, KernelStep, Operand } from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { unravelIndex } from '../pointwise/expression-dims.js';

/**
 * One dispatch that copies a box of elements between two layouts: permute, slice and concat are made of it. Four
 * neighbours go at a time where both sides keep them together and aligned.
 */
export interface StridedCopy {
  /** The box, outermost axis first; strides in elements of the two arrays. */
  readonly dims: readonly CopyDim[];
  readonly fromOffset?: number;
  readonly toOffset?: number;
}

export interface CopyDim {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

export interface CopyEnds {
  readonly from: Operand;
  readonly to: Operand;
  readonly dtype: DType;
}

export function stridedCopy(
  { dims: box, fromOffset = 0, toOffset = 0 }: StridedCopy,
  { from, to, dtype }: CopyEnds,
  traits: Pick<DeviceTraits, 'kind' | 'maxWorkgroups'>,
): KernelStep {
  const merged = mergeDims(box);
  const width = vectorWidth(merged, fromOffset, toOffset);
  const dims = merged.map((dim, d) => inVectors(dim, width, d === merged.length - 1));
  const count = dims.reduce((product, { size }) => product * size, 1);
  const type = width === 4 ? `vec4<${dtype}>` : dtype;
  return streamStep(
    {
      count,
      bindings: [
        { name: 'source', operand: from, access: 'read', type },
        { name: 'copied', operand: to, access: 'read_write', type },
      ],
      each: `${unravelIndex(
        dims.map(({ size }) => size),
        'i',
      )}
  copied[${address(dims, 'to', toOffset / width)}] = source[${address(dims, 'from', fromOffset / width)}];`,
    },
    traits,
  );
}

/** Joins neighbouring axes that are one run in both layouts, and drops axes of one element. */
export function mergeDims(dims: readonly CopyDim[]): CopyDim[] {
  const merged: CopyDim[] = [];
  for (const dim of dims) {
    if (dim.size === 1) continue;
    const outer = merged.at(-1);
    if (outer && outer.from === dim.from * dim.size && outer.to === dim.to * dim.size) {
      merged[merged.length - 1] = { ...dim, size: outer.size * dim.size };
    } else {
      merged.push(dim);
    }
  }
  return merged.length > 0 ? merged : [{ size: 1, from: 1, to: 1 }];
}

function address(dims: readonly CopyDim[], side: 'from' | 'to', offset: number): string {
  return [`${offset}u`, ...dims.map((dim, d) => `c${d} * ${dim[side]}u`)].join(' + ');
}

function vectorWidth(dims: readonly CopyDim[], ...offsets: readonly number[]): 1 | 4 {
  const last = dims.at(-1);
  const contiguous = last?.from === 1 && last.to === 1 && last.size % 4 === 0;
  const aligned = dims.slice(0, -1).every(({ from, to }) => from % 4 === 0 && to % 4 === 0);
  return contiguous && aligned && offsets.every((offset) => offset % 4 === 0) ? 4 : 1;
}

function inVectors(dim: CopyDim, width: 1 | 4, last: boolean): CopyDim {
  return last
    ? { ...dim, size: dim.size / width }
    : { size: dim.size, from: dim.from / width, to: dim.to / width };
}
