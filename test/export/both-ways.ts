import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { exportOnnx, type OnnxExportOptions } from '../../src/export/export-onnx.js';
import { defineModel, type ModelConfig } from '../../src/models/model.js';
import { writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { timmShapes } from '../../src/models/weights/timm-weights.js';
import { createModel } from '../../src/predict/create-model.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { hashImages, hashTensor } from '../golden/hash-weights.js';
import { type FloatTensor, withOnnx } from './onnx-runtime.js';

/** The same network, weights and pictures here and in ONNX Runtime. */

/** The bound for logits. */
export const TOLERANCE = 1e-4;

const BATCHES = [1, 2, 5];

/** Weights as a checkpoint holds them, none of them 0. */
export function hashedTensors(config: ModelConfig) {
  const shapes = [...timmShapes(defineModel(config))];
  return new Map(
    shapes.map(([name, shape]) => [name, { dtype: 'F32' as const, shape, data: hashTensor(name, shape) }]),
  );
}

export function exported(
  config: ModelConfig,
  imageSize: readonly [number, number],
  options: Partial<OnnxExportOptions> = {},
): Uint8Array {
  const definition = defineModel(config);
  return exportOnnx({ definition, tensors: hashedTensors(config), imageSize, version: 'test', ...options });
}

/** Compares logits and features of five pictures, scored by ONNX Runtime in batches of 1, 2 and 5. */
export async function expectSameInOnnx(
  config: ModelConfig,
  imageSize: readonly [number, number],
  options: Partial<OnnxExportOptions> & { readonly runAt?: readonly [number, number] } = {},
): Promise<void> {
  const { runAt: [h, w] = imageSize, ...exportOptions } = options;
  const channels = config.inChannels ?? 1;
  const images = Math.max(...BATCHES);
  const pictures = hashImages([images, h, w, channels], 1);
  const ours = await scoredHere(config, pictures, [images, h, w, channels]);
  await withOnnx(exported(config, imageSize, exportOptions), async (run) => {
    for (const n of BATCHES) {
      const image = channelsFirst(pictures.subarray(0, n * h * w * channels), [n, h, w, channels]);
      const theirs = await run({ image });
      expectClose(theirs.logits, ours.logits, [n, config.classes]);
      expectClose(theirs.features, ours.features, [n, ours.features.length / images]);
    }
  });
}

async function scoredHere(
  config: ModelConfig,
  pictures: Float32Array,
  shape: readonly [number, number, number, number],
) {
  const weights = join(await temporaryFolder(), 'weights.safetensors');
  await writeFile(weights, writeSafetensors(hashedTensors(config)));
  const model = await createModel(await testDevice(), { ...config, weights });
  try {
    return { logits: await model.forward(pictures, shape), features: await model.features(pictures, shape) };
  } finally {
    await model.destroy();
  }
}

function expectClose(
  actual: FloatTensor | undefined,
  expected: Float32Array,
  shape: readonly number[],
): void {
  expect(actual?.dims).toEqual(shape);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  // outputs that are all alike would agree with anything
  expect(largest).toBeGreaterThan(1e-3);
  const errors = actual!.data.map((value, i) => Math.abs(value - expected[i]!));
  expect(Math.max(...errors)).toBeLessThan(TOLERANCE * Math.max(1, largest));
}

/** NHWC → NCHW */
export function channelsFirst(
  values: Float32Array,
  [n, h, w, c]: readonly [number, number, number, number],
): FloatTensor {
  const data = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const image = Math.floor(i / (h * w * c));
    const pixel = Math.floor(i / c) % (h * w);
    data[(image * c + (i % c)) * h * w + pixel] = values[i]!;
  }
  return { data, dims: [n, c, h, w] };
}
