import type { DeviceTraits, KernelStep } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { unravelIndex } from '../pointwise/expression-dims.js';
import { type CopyDim, type CopyEnds, mergeDims } from './strided-copy.js';

/**
 * A permutation that moves the last axis away, in blocks of 4×4: a lane reads four vec4s along the source's last axis
 * and writes four along the target's, so that neither side is touched a float at a time.
 */

/** Why the permutation cannot go in blocks; undefined if it can. */
export function blockTransposeUnfit(dims: readonly CopyDim[]): string | undefined {
  const { source, target, others } = axesOf(dims);
  if (!source || !target) return 'the last axis stays the last';
  if (source.size % 4 !== 0 || target.size % 4 !== 0) return 'an exchanged axis is not a multiple of 4';
  const aligned = others.every(({ from, to }) => from % 4 === 0 && to % 4 === 0);
  return aligned && source.to % 4 === 0 && target.from % 4 === 0 ? undefined : 'an axis is not aligned to 4';
}

/**
 * One lane a block of 4×4.
 *
 * Sample (transpose of [4, 8]):
 *
 *     let read = c0 * 1u + c1 * 8u;
 *     let write = c0 * 4u + c1 * 1u;
 *     let r0 = source[read + 0u];
 *     let r1 = source[read + 2u];
 *     …
 *     moved[write + 0u] = vec4<f32>(r0.x, r1.x, r2.x, r3.x);
 *     moved[write + 1u] = vec4<f32>(r0.y, r1.y, r2.y, r3.y);
 */
export function blockTranspose(
  dims: readonly CopyDim[],
  { from, to, dtype }: CopyEnds,
  traits: Pick<DeviceTraits, 'maxWorkgroups'>,
): KernelStep {
  const { source, target, others } = axesOf(dims);
  if (!source || !target) throw new RangeError(blockTransposeUnfit(dims));
  // Blocks, not elements, along the two exchanged axes; strides in vec4s.
  const box = [
    ...others.map((dim) => ({ size: dim.size, from: dim.from / 4, to: dim.to / 4 })),
    { size: source.size / 4, from: 1, to: source.to },
    { size: target.size / 4, from: target.from, to: 1 },
  ];
  const count = box.reduce((product, { size }) => product * size, 1);
  const type = `vec4<${dtype}>`;
  const address = (side: 'from' | 'to') => box.map((dim, d) => `c${d} * ${dim[side]}u`).join(' + ');
  return flatStep(
    {
      count,
      bindings: [
        { name: 'source', operand: from, access: 'read', type },
        { name: 'moved', operand: to, access: 'read_write', type },
      ],
      body: `${unravelIndex(
        box.map(({ size }) => size),
        'id',
      )}
  let read = ${address('from')};
  let write = ${address('to')};
  ${[0, 1, 2, 3].map((k) => `let r${k} = source[read + ${(k * target.from) / 4}u];`).join('\n  ')}
  ${['x', 'y', 'z', 'w'].map((part, k) => `moved[write + ${(k * source.to) / 4}u] = ${type}(r0.${part}, r1.${part}, r2.${part}, r3.${part});`).join('\n  ')}`,
    },
    traits,
  );
}

/** The axis that is contiguous in the source, the one in the target, and the rest. */
function axesOf(dims: readonly CopyDim[]) {
  const merged = mergeDims(dims);
  const source = merged.find((dim) => dim.from === 1);
  const target = merged.find((dim) => dim.to === 1);
  return source === target
    ? { others: merged }
    : { source, target, others: merged.filter((dim) => dim !== source && dim !== target) };
}
