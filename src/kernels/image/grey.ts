import { ShapeError } from '../../engine/errors.js';
import { share } from '../../engine/graph/rows.js';
import { applyOne, at, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';
import { mul, sub } from '../pointwise/pointwise-table.js';
import { reshape } from '../shape/reshape.js';

/**
 * The first and the last step of pictures on the device. They arrive as grey integers, several in a word, and the network
 * is shown normalised channels. All between the two works on grey values in [0, 1], [n, h, w] f32.
 */

/** Depth of the integers that a batch is packed of. */
export type GreyBits = 8 | 16;

/** How grey values become channels: `mean` and `std` have one value for all channels, or one for each. */
export interface Normalisation {
  readonly channels: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Words that hold `count` pixels; those after the last pixel are padding. */
export function packedLength(count: number, bits: GreyBits): number {
  return Math.ceil((count * bits) / 32);
}

/**
 * @param pixels u32 [words]: 8- or 16-bit integers one behind the other, the first in the lowest bits, the last word
 *   filled up @param shape [n, h, w] @returns [n, h, w]; the largest integer becomes 1
 */
export function unpackGrey(pixels: Tensor, shape: readonly [number, number, number], bits: GreyBits): Tensor {
  return applyOne(unpackGreyOp, [pixels], { shape, bits });
}

/**
 * (x − mean) / std in every channel. It is written with pointwise functions, so that their kernels serve.
 * @param grey [n, h, w] @returns [n, h, w, channels]
 */
export function normaliseGrey(grey: Tensor, { channels, mean, std }: Normalisation): Tensor {
  const [n, h, w] = grey.shape;
  if (n === undefined || h === undefined || w === undefined || grey.shape.length !== 3) {
    throw new ShapeError(`normaliseGrey: needs grey pictures [n, h, w], got ${describe(grey)}`);
  }
  for (const [name, values] of Object.entries({ mean, std })) {
    if (values.length !== 1 && values.length !== channels) {
      throw new ShapeError(`normaliseGrey: ${values.length} values of ${name} for ${channels} channels`);
    }
  }
  const each = (values: readonly number[]) =>
    grey.graph.constant(
      Float32Array.from({ length: channels }, (_, c) => at(values, c % values.length)),
      [channels],
    );
  return mul(sub(reshape(grey, [n, h, w, 1]), each(mean)), each(std.map((value) => 1 / value)));
}

/** u32 [words] → f32 [n, h, w]. The integers have no gradient. */
export const unpackGreyOp: Op<{
  readonly shape: readonly [number, number, number];
  readonly bits: GreyBits;
}> = {
  name: 'unpackGrey',
  infer([pixels], { shape, bits }) {
    const words = packedLength(elementCount(shape), bits);
    if (pixels?.dtype !== 'u32' || pixels.shape.length !== 1 || pixels.shape[0] !== words) {
      throw new ShapeError(
        `unpackGrey: [${shape}] pixels of ${bits} bits are [${words}] u32, got ${pixels && describe(pixels)}`,
      );
    }
    return [{ shape, dtype: 'f32' }];
  },
  rows(problem) {
    const { shape, bits } = problem.attributes;
    const [n, h, w] = shape;
    const whole = (h * w * bits) % 32 === 0;
    return whole && n > 1
      ? byFirstAxis(problem, [true], (range) => ({ shape: [share(n, range), h, w], bits }))
      : undefined;
  },
  flops: ({ outputs: [grey] }) => elementCount(grey?.shape ?? []),
  variants: [
    {
      // A lane writes the pixels of a word.
      name: 'words',
      unfit: () => undefined,
      rank: () => 1,
      build({ attributes: { shape, bits } }, traits) {
        const count = elementCount(shape);
        const each = 32 / bits;
        const whole = count % each === 0;
        const white = 2 ** bits - 1;
        const part = (k: number) => (k === 0 ? 'word' : `(word >> ${k * bits}u)`);
        const values = Array.from({ length: each }, (_, k) => `f32(${part(k)} & ${white}u) / ${white}.0`);
        const type = `vec${each}f`;
        const step = streamStep(
          {
            count: packedLength(count, bits),
            bindings: [
              { name: 'pixels', operand: { kind: 'input', index: 0 }, access: 'read', type: 'u32' },
              {
                name: 'grey',
                operand: { kind: 'output', index: 0 },
                access: 'read_write',
                type: whole ? type : 'f32',
              },
            ],
            each: `let word = pixels[i]; ${
              whole
                ? `grey[i] = ${type}(${values.join(', ')});`
                : values
                    .map((value, k) => {
                      const place = `i * ${each}u + ${k}u`;
                      return k === 0
                        ? `grey[${place}] = ${value};`
                        : `if (${place} < ${count}u) { grey[${place}] = ${value}; }`;
                    })
                    .join(' ')
            }`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
