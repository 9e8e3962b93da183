import { describe, expect, test } from 'vitest';
import { greyPixels, packedWords } from '../../../src/data/images/prepare.js';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { normaliseGrey, unpackGrey } from '../../../src/kernels/image/grey.js';
import { evaluate } from '../../device.js';
import { expectClose } from '../check-op.js';

function randomPixels(bits: 8 | 16, count: number) {
  const random = new Random(3, 'pixels', bits, count);
  const pixels = greyPixels(bits, count);
  for (let i = 0; i < count; i++) pixels[i] = random.int(2 ** bits);
  pixels[0] = 2 ** bits - 1;
  return pixels;
}

describe.each([8, 16] as const)('pixels of %i bits', (bits) => {
  // whole words; one, two and three pixels in the last; more than a row of workgroups' worth
  test.each([
    [2, 4, 6],
    [1, 5, 5],
    [2, 3, 3],
    [3, 1, 5],
    [5, 120, 131],
  ] as const)('unpack into [%i, %i, %i]', async (...shape) => {
    const count = shape[0] * shape[1] * shape[2];
    const pixels = randomPixels(bits, count);
    const words = packedWords(pixels);
    expect(words.buffer).toBe(pixels.buffer);
    const [grey] = await evaluate([{ shape: [words.length], values: words }], ([input]) => [
      unpackGrey(input!, shape, bits),
    ]);
    expectClose(
      grey!,
      Float64Array.from(pixels, (value) => value / (2 ** bits - 1)),
      3e-7,
    );
  });

  test('a part of a batch that begins or ends inside of a word is copied, with the same values', async () => {
    const all = randomPixels(bits, 30);
    for (const [from, to] of [
      [15, 30],
      [0, 15],
      [12, 24],
    ] as const) {
      const part = all.subarray(from, to) as typeof all;
      const words = packedWords(part);
      const [grey] = await evaluate([{ shape: [words.length], values: words }], ([input]) => [
        unpackGrey(input!, [1, 1, part.length], bits),
      ]);
      expectClose(
        grey!,
        Float64Array.from(part, (value) => value / (2 ** bits - 1)),
        3e-7,
      );
    }
  });
});

describe('normalising', () => {
  const random = new Random(4, 'grey');
  const [n, h, w] = [3, 7, 9];
  const grey = Float32Array.from({ length: n * h * w }, () => random.uniform(0, 1));

  test.each([
    { channels: 1, mean: [0.5], std: [0.25] },
    { channels: 3, mean: [0.5], std: [0.25] },
    { channels: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  ])('$channels channels by $mean and $std', async (normalisation) => {
    const { channels, mean, std } = normalisation;
    const [images] = await evaluate([{ shape: [n, h, w], values: grey }], ([input]) => [
      normaliseGrey(input!, normalisation),
    ]);
    const expected = Float64Array.from({ length: grey.length * channels }, (_, i) => {
      const c = i % channels;
      return (grey[Math.floor(i / channels)]! - mean[c % mean.length]!) / std[c % std.length]!;
    });
    expectClose(images!, expected, 3e-7);
  });
});

test('operands that do not fit are refused', () => {
  const graph = new Graph();
  expect(() => unpackGrey(graph.input('few', [3], 'u32'), [1, 4, 4], 8)).toThrow(/are \[4\] u32, got \[3\]/);
  expect(() => unpackGrey(graph.input('floats', [4]), [1, 4, 4], 8)).toThrow(ShapeError);
  const grey = graph.input('grey', [1, 4, 4]);
  expect(() => normaliseGrey(grey, { channels: 3, mean: [0, 0], std: [1] })).toThrow(
    /2 values of mean for 3/,
  );
  expect(() => normaliseGrey(graph.input('flat', [4, 4]), { channels: 1, mean: [0], std: [1] })).toThrow(
    /\[n, h, w\]/,
  );
});
