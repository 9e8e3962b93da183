import { encodeGreyPng } from '../../src/data/images/encode-png.js';
import { preprocessingSchema } from '../../src/data/images/preprocessing.js';
import { defineModel } from '../../src/models/model.js';
import { exportTimm } from '../../src/models/weights/timm-weights.js';
import type { Checkpoint } from '../../src/weights/checkpoint.js';
import { freshWeights } from '../../src/weights/initial-weights.js';

/**
 * A network whose maps are known: a ResNet-10 that hands its input through. The stem copies the picture into channel 0, no
 * residual branch adds anything, and projections pass channel 0 on, so that the last map is every 8th pixel of every 8th row.
 * The logit of `bright` is its mean times `SLOPE`, that of `dark` the negative.
 */
export const SIDE = 32;
export const CELLS = 4;
export const SLOPE = 3;

export function knownNetwork(): Checkpoint {
  const model = { arch: 'resnet10', classes: 2, inChannels: 1, stem: 'small', width: 4 } as const;
  const definition = defineModel({ ...model, imageSize: [SIDE, SIDE] });
  const weights = freshWeights(definition, 0);
  for (const [name, values] of weights.parameters) {
    const passes = name === 'conv1.weight' || /downsample\.0\.weight$/.test(name);
    if (/conv\d\.weight$|downsample\.0\.weight$/.test(name)) values.fill(0);
    // [kh, kw, c, o]: the middle of the stem's 3 × 3, from channel 0 to channel 0
    if (passes) values[name === 'conv1.weight' ? 4 * 4 : 0] = 1;
    if (/^(?:fc\.bias|.*bn\d\.bias|.*downsample\.1\.bias)$/.test(name)) values.fill(0);
    if (name === 'fc.weight') values.fill(0).set([SLOPE, -SLOPE]);
  }
  for (const [name, values] of weights.statistics) values.fill(name.endsWith('var') ? 1 - 1e-5 : 0);
  return {
    model: { ...model, head: definition.config.head, dropRate: 0, dropPathRate: 0 },
    classes: ['bright', 'dark'],
    preprocessing: preprocessingSchema.parse({
      size: [SIDE, SIDE],
      window: { kind: 'full' },
      bits: 8,
      mean: [0],
      std: [1],
    }),
    weights: 'raw',
    epoch: 0,
    step: 0,
    metrics: { mAP: null, auroc: null },
    prevalence: [0.5, 0.5],
    recipe: {},
    tailray: 'test',
    tensors: exportTimm(definition, weights),
  };
}

/** Columns and rows of a square, the first inside and the first outside. */
export type Square = readonly [left: number, top: number, right: number, bottom: number];

/** A picture of one brightness, with a brighter square. @returns a PNG */
export function squarePicture(square: Square, inside = 255, outside = 51): Uint8Array {
  const pixels = new Uint8Array(SIDE * SIDE).fill(outside);
  const [left, top, right, bottom] = square;
  for (let y = top; y < bottom; y++) pixels.fill(inside, y * SIDE + left, y * SIDE + right);
  return encodeGreyPng(pixels, SIDE, SIDE);
}
