import { afterAll, describe, expect, test } from 'vitest';
import { augmentSchema, drawAugmentation } from '../../../src/data/images/augment.js';
import { drawMix } from '../../../src/data/images/mix.js';
import { greyPixels } from '../../../src/data/images/prepare.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { defineModel } from '../../../src/models/model.js';
import { recipeSchema } from '../../../src/recipe/recipe-schema.js';
import { imageFeeds, type PixelBatch, traceImages } from '../../../src/train/step/step-images.js';
import { StepProgram } from '../../../src/train/step/step-program.js';
import { freshWeights } from '../../../src/weights/initial-weights.js';
import { testDevice } from '../../device.js';
import { relativeError } from '../../golden/digest.js';
import { contentsOf } from './contents-of.js';
import { openStep } from './open-step.js';

const device = await testDevice();
afterAll(() => device.idle());

const SIZE = [13, 15] as const;
const PLANE = SIZE[0] * SIZE[1];
const CLASSES = 2;
/** Changes that are a line each in plain TypeScript; test/kernels/image holds the others. */
const augment = augmentSchema.parse({
  affine: false,
  clahe: false,
  noise: false,
  dropout: false,
  brightnessContrast: { p: 1 },
  mixup: { p: 0.4, alpha: 1 },
  cutmix: { p: 0.4 },
});

/** Pixels of `n` pictures and their partners, with the changes drawn. */
function pixelBatch(bits: 8 | 16, n: number): PixelBatch {
  const random = new Random(7, 'pixels', bits);
  const pixels = greyPixels(bits, 2 * n * PLANE);
  for (let i = 0; i < pixels.length; i++) pixels[i] = random.int(2 ** bits);
  const key = { seed: 4, epoch: 0 };
  return {
    pixels,
    changes: Array.from({ length: 2 * n }, (_, slot) => drawAugmentation(augment, SIZE, { ...key, slot })),
    mixes: Array.from({ length: n }, (_, slot) => drawMix(augment, SIZE, { ...key, slot, slots: n })),
  };
}

/** The images that the network should see of it, computed here in float64. */
function referenceImages(
  { pixels, changes, mixes }: PixelBatch,
  { channels, mean, std, bits }: ReturnType<typeof preprocessingSchema.parse>,
): Float32Array {
  const [, width] = SIZE;
  const grey = (plane: number, at: number) => {
    const { flip, tone } = changes[plane]!;
    const x = at % width;
    const from = flip ? at - x + (width - 1 - x) : at;
    const value = pixels[plane * PLANE + from]! / (2 ** bits - 1);
    return Math.min(1, Math.max(0, value * tone!.gain + tone!.offset));
  };
  return Float32Array.from({ length: mixes.length * PLANE * channels }, (_, i) => {
    const c = i % channels;
    const at = Math.floor(i / channels) % PLANE;
    const n = Math.floor(i / (channels * PLANE));
    const mix = mixes[n];
    let value = grey(2 * n, at);
    if (mix) {
      const [y, x] = [Math.floor(at / width), at % width];
      const { top, left, bottom, right } = mix.box ?? { top: 0, left: 0, bottom: 0, right: 0 };
      const inside = y >= top && y < bottom && x >= left && x < right;
      const weight = inside ? 0 : mix.box ? 1 : mix.own;
      value = weight * value + (1 - weight) * grey(2 * n + 1, at);
    }
    return (value - mean[c % mean.length]!) / std[c % std.length]!;
  });
}

describe('a step that is given pixels', () => {
  test.each([
    { bits: 8, channels: 3, accumulate: 3 },
    { bits: 16, channels: 1, accumulate: 1 },
  ] as const)('is the step that is given their images: %j', async ({ bits, channels, accumulate }) => {
    const preprocessing = preprocessingSchema.parse({ size: SIZE, channels, bits, mean: [0.4], std: [0.3] });
    const definition = defineModel({
      arch: 'resnet10',
      stem: 'small-stride2',
      width: 4,
      classes: CLASSES,
      inChannels: channels,
    });
    const recipe = recipeSchema.parse({ optimizer: { name: 'sgd', lr: 0.1 }, ema: false, accumulate });
    // three pictures a batch: the second and third batch begin in the middle of a word
    const batch = pixelBatch(bits, 3 * accumulate);
    const targets = Float32Array.from({ length: 3 * accumulate * CLASSES }, (_, i) => (i % 3) / 2);
    const images = referenceImages(batch, preprocessing);
    const [of, results] = [freshWeights(definition, 1), [] as Float32Array[]];
    for (const source of [{ kind: 'pixels', preprocessing, augment } as const, undefined]) {
      const setUp = { definition, weights: of, recipe, images: [3, ...SIZE, channels], steps: 1 } as const;
      const { state, program, options } = await openStep(device, setUp, source);
      expect(StepProgram.plan(device, options)).toEqual(program.planned);
      program.run({ ...(source ? batch : { images }), targets }, 0);
      const [scalars] = await program.scalars();
      const { grads } = await contentsOf(state);
      results.push(
        Float32Array.from([scalars!.loss, ...[...grads!.values()].flatMap((values) => [...values])]),
      );
      program.destroy();
      state.destroy();
    }
    expect(relativeError(results[0]!, results[1]!)).toBeLessThan(2e-4);
  });

  test('sees the same pixels however its pictures are cut into batches, with every change there is', async () => {
    const all = augmentSchema.parse({
      ...Object.fromEntries(
        ['flip', 'affine', 'clahe', 'brightnessContrast', 'noise', 'dropout'].map((name) => [
          name,
          { p: 0.7 },
        ]),
      ),
      mixup: { p: 0.4, alpha: 1 },
      cutmix: { p: 0.4 },
    });
    const preprocessing = preprocessingSchema.parse({ size: SIZE, bits: 8 });
    const source = { kind: 'pixels', preprocessing, augment: all } as const;
    const key = { seed: 4, epoch: 1 };
    const batch = {
      ...pixelBatch(8, 6),
      changes: Array.from({ length: 12 }, (_, slot) => drawAugmentation(all, SIZE, { ...key, slot })),
    };
    const seen: Float32Array[] = [];
    for (const batchSize of [6, 3, 1]) {
      const graph = new Graph();
      const images = traceImages(graph, source, batchSize);
      const program = await compile(device, { graph, outputs: [images] });
      const values: number[] = [];
      for (let k = 0; k < 6 / batchSize; k++) {
        program.run(imageFeeds(source, batch, { batchSize, k }));
        values.push(...(await program.read(images)));
      }
      program.destroy();
      seen.push(Float32Array.from(values));
    }
    expect(new Set(seen[0]).size).toBeGreaterThan(500);
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  });

  test('has no inputs for changes and mixes that never happen', () => {
    const preprocessing = preprocessingSchema.parse({ size: SIZE, bits: 8 });
    const off = augmentSchema.parse(
      Object.fromEntries(Object.keys(augment).map((change) => [change, false])),
    );
    for (const none of [false, off] as const) {
      const graph = new Graph();
      const source = { kind: 'pixels', preprocessing, augment: none } as const;
      traceImages(graph, source, 2);
      expect([...graph.inputs.keys()]).toEqual(['pixels']);
      const batch = { pixels: greyPixels(8, 2 * PLANE), changes: [], mixes: [] };
      expect(Object.keys(imageFeeds(source, batch, { batchSize: 2, k: 0 }))).toEqual(['pixels']);
    }
  });

  test('refuses images, as one that is given images refuses pixels', () => {
    const preprocessing = preprocessingSchema.parse({ size: SIZE, bits: 8 });
    const pixels = { kind: 'pixels', preprocessing, augment: false } as const;
    const where = { batchSize: 1, k: 0 };
    expect(() => imageFeeds(pixels, { images: new Float32Array(PLANE) }, where)).toThrow(/given images/);
    const given = { kind: 'images', shape: [...SIZE, 1] } as const;
    expect(() => imageFeeds(given, pixelBatch(8, 1), where)).toThrow(/given pixels/);
  });
});
