import { describe, expect, test } from 'vitest';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { dropout } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { evaluate } from '../../device.js';

const LENGTH = 100_000;
const ones = { shape: [LENGTH], values: new Float32Array(LENGTH).fill(1) };
const seedOf = (...words: number[]) => ({ shape: [2], values: Uint32Array.from(words) });

/** The mask (0 or the scale) that one stream draws under a seed. */
async function mask(p: number, stream: number, seed = seedOf(7, 9), variant = 'vec4'): Promise<Float32Array> {
  const [y] = await evaluate([ones, seed], ([x, words]) => [dropout(x!, words!, { p, stream })], {
    pointwise: variant,
  });
  return y!;
}

const agreement = (a: Float32Array, b: Float32Array) =>
  a.reduce((same, value, i) => same + Number(value === b[i]), 0) / a.length;

describe('dropout', () => {
  test('keeps a share of 1 − p, scaled so that the mean stays', async () => {
    for (const p of [0.1, 0.5, 0.8]) {
      const y = await mask(p, 3);
      const kept = y.filter((value) => value !== 0);
      const deviation = Math.sqrt((p * (1 - p)) / LENGTH);
      expect(Math.abs(kept.length / LENGTH - (1 - p))).toBeLessThan(4.5 * deviation);
      for (const value of kept) expect(value).toBeCloseTo(1 / (1 - p), 5);
    }
  });

  test('neighbours are dropped independently', async () => {
    const y = await mask(0.5, 1);
    for (const lag of [1, 2, 4, 64, 256]) {
      let both = 0;
      for (let i = lag; i < LENGTH; i++) both += Number(y[i] === 0 && y[i - lag] === 0);
      const share = both / (LENGTH - lag);
      expect(Math.abs(share - 0.25)).toBeLessThan(4.5 * Math.sqrt((0.25 * 0.75) / LENGTH) * 1.5);
    }
  });

  test('the backward pass draws the mask of the forward pass', async () => {
    const [y, slope] = await evaluate([ones, seedOf(1, 2)], ([x, words]) => {
      const dropped = dropout(x!, words!, { p: 0.4, stream: 5 });
      return [dropped, ...grad(sum(dropped), [x!])];
    });
    expect(slope).toEqual(y);
  });

  test('the same seed and stream give the same mask in every variant; others give independent ones', async () => {
    const reference = await mask(0.5, 1);
    expect(await mask(0.5, 1)).toEqual(reference);
    expect(await mask(0.5, 1, seedOf(7, 9), 'scalar')).toEqual(reference);
    for (const other of [
      await mask(0.5, 2),
      await mask(0.5, 1, seedOf(8, 9)),
      await mask(0.5, 1, seedOf(7, 10)),
      await mask(0.5, 1, seedOf(9, 7)),
    ]) {
      expect(Math.abs(agreement(reference, other) - 0.5)).toBeLessThan(4.5 * Math.sqrt(0.25 / LENGTH));
    }
  });

  test('p = 0 is the operand itself; p outside [0, 1) is refused', () => {
    const graph = new Graph();
    const [x, seed] = [graph.input('x', [4]), graph.input('seed', [2], 'u32')];
    expect(dropout(x, seed, { p: 0, stream: 1 })).toBe(x);
    expect(() => dropout(x, seed, { p: 1, stream: 1 })).toThrow(RangeError);
    expect(() => dropout(x, seed, { p: Number.NaN, stream: 1 })).toThrow(RangeError);
  });
});
