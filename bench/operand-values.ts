import { elementCount, type Shape } from '#src/engine/graph/tensor.js';
import type { TensorForm } from './entrant.js';

/** The numbers that all libraries start from, and their order in libraries that put channels first. */

/** The same numbers for the same place among a workload's operands, in every run. */
export function operandValues({ shape, fill = 'uniform' }: TensorForm, place: number): Float32Array {
  const values = new Float32Array(elementCount(shape));
  if (fill === 'zeros') return values;
  if (fill === 'ones') return values.fill(1);
  if (fill === 'causal') return causalMask(values, shape.at(-1) ?? 1);
  const next = mulberry32(place + 1);
  if (fill === 'classes') {
    const classes = shape.at(-1) ?? 1;
    for (let row = 0; row < values.length; row += classes) values[row + Math.floor(next() * classes)] = 1;
    return values;
  }
  for (let i = 0; i < values.length; i++) {
    values[i] = fill === 'labels' ? Number(next() < LABEL_RATE) : 2 * next() - 1;
  }
  return values;
}

/** What is added to the scores of a text's tokens, so that none of them sees a later one. */
function causalMask(values: Float32Array, tokens: number): Float32Array {
  return values.map((_, i) => (i % tokens > Math.floor(i / tokens) ? -1e9 : 0));
}

/** Findings of a radiograph are rare. */
const LABEL_RATE = 0.05;

/** Uniform in [0, 1) (public-domain generator by Tommy Ettinger): 25 million numbers in a fraction of a second. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Of axis i of the other libraries' layout: which axis of tailray's it is. */
const AXES = { image: [0, 3, 1, 2], filter: [3, 2, 0, 1] } as const;

/** Shape and values as libraries with channels first want them. */
export function toChannelsFirst(
  { shape, layout }: TensorForm,
  values: Float32Array,
): { shape: Shape; values: Float32Array } {
  if (!layout) return { shape, values };
  return permuted(shape, values, AXES[layout]);
}

/** The reverse of `toChannelsFirst`. */
export function fromChannelsFirst({ shape, layout }: TensorForm, values: Float32Array): Float32Array {
  if (!layout) return values;
  const axes = AXES[layout];
  const theirs = axes.map((axis) => shape[axis] ?? 1);
  const back = shape.map((_, axis) => axes.indexOf(axis as 0 | 1 | 2 | 3));
  return permuted(theirs, values, back).values;
}

/** Axis i of the result is axis `axes[i]` of `values`. */
function permuted(
  shape: Shape,
  values: Float32Array,
  axes: readonly number[],
): { shape: Shape; values: Float32Array } {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const target = axes.map((axis) => shape[axis] ?? 1);
  const steps = axes.map((axis) => strides[axis] ?? 1);
  const [n = 1, c = 1, h = 1, w = 1] = target;
  const [sn = 0, sc = 0, sh = 0, sw = 0] = steps;
  const moved = new Float32Array(values.length);
  let to = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < c; j++)
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) moved[to++] = values[i * sn + j * sc + y * sh + x * sw] ?? 0;
  return { shape: target, values: moved };
}
