import { describe, expect, test } from 'vitest';
import { drawMix, type Mix, type Mixing } from '../../../src/data/images/mix.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { mixesShape, mixGrey, packMixes } from '../../../src/kernels/image/mix.js';
import { evaluate } from '../../device.js';
import { expectClose } from '../check-op.js';

/** As the formulas of both papers say, a pixel at a time. */
function reference(grey: Float32Array, mixes: readonly (Mix | null)[], [h, w]: readonly [number, number]) {
  const plane = h * w;
  return Float64Array.from({ length: mixes.length * plane }, (_, i) => {
    const [picture, at] = [Math.floor(i / plane), i % plane];
    const [own, partner] = [grey[2 * picture * plane + at]!, grey[(2 * picture + 1) * plane + at]!];
    const mix = mixes[picture];
    if (!mix) return own;
    if (mix.box === null) return mix.own * own + (1 - mix.own) * partner;
    const [y, x] = [Math.floor(at / w), at % w];
    const { top, left, bottom, right } = mix.box;
    return y >= top && y < bottom && x >= left && x < right ? partner : own;
  });
}

const settings: Mixing = { mixup: { p: 0.4, alpha: 0.5 }, cutmix: { p: 0.4, alpha: 1 } };

describe('mixing on the device', () => {
  test.each([
    [12, 16],
    [9, 13],
    [40, 130],
  ] as const)('pictures of %i × %i', async (h, w) => {
    const n = 24;
    const mixes = Array.from({ length: n }, (_, slot) =>
      drawMix(settings, [h, w], { seed: 5, epoch: 1, slot, slots: 100 }),
    );
    const kinds = new Set(
      mixes.map((mix) => (mix === null ? 'alone' : mix.box === null ? 'mixup' : 'cutmix')),
    );
    expect(kinds.size).toBe(3);
    const random = new Random(1, 'grey');
    const grey = Float32Array.from({ length: 2 * n * h * w }, () => random.uniform());
    const [mixed] = await evaluate(
      [
        { shape: [2 * n, h, w], values: grey },
        { shape: mixesShape(n), values: packMixes(mixes, n) },
      ],
      ([planes, table]) => [mixGrey(planes!, table!)],
    );
    expectClose(mixed!, reference(grey, mixes, [h, w]), 3e-7);
  });

  test('a picture that stays alone has its own bits', async () => {
    const random = new Random(2, 'grey');
    const grey = Float32Array.from({ length: 2 * 64 }, () => random.uniform());
    const [mixed] = await evaluate(
      [
        { shape: [2, 8, 8], values: grey },
        { shape: mixesShape(1), values: packMixes([], 1) },
      ],
      ([planes, table]) => [mixGrey(planes!, table!)],
    );
    expect(mixed).toEqual(grey.subarray(0, 64));
  });
});

test('operands that do not fit are refused', () => {
  const graph = new Graph();
  const table = graph.input('table', mixesShape(2));
  expect(() => mixGrey(graph.input('grey', [3, 4, 4]), table)).toThrow(/needs \[2·n, h, w\]/);
  expect(() => packMixes([null, null], 1)).toThrow(/2 mixes for a batch of 1/);
});
