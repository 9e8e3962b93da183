import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { preprocessingSchema } from '../../src/data/images/preprocessing.js';
import { Random } from '../../src/engine/random.js';
import { summarize } from '../../src/eval/metrics/summarize.js';
import { tauFactors } from '../../src/eval/tau-normalisation.js';
import { defineModel } from '../../src/models/model.js';
import {
  type SafetensorsTensor,
  toFloat32,
  writeSafetensors,
} from '../../src/models/safetensors/safetensors.js';
import { exportTimm } from '../../src/models/weights/timm-weights.js';
import { createModel } from '../../src/predict/create-model.js';
import type { Predictions } from '../../src/predict/predictions.js';
import { chooseTau, classifierRows, tauNormalise } from '../../src/predict/tau-normalise.js';
import { freshWeights } from '../../src/weights/initial-weights.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';

const PREPROCESSING = preprocessingSchema.parse({ size: [64, 64] });
const CLASSES = ['common', 'middling', 'rare'];
const CONFIG = { arch: 'resnet10', stem: 'small-stride2', width: 4, classes: CLASSES.length } as const;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** A network whose rows differ in length, with biases. */
function unequalRows() {
  const definition = defineModel(CONFIG);
  const tensors = new Map<string, SafetensorsTensor>(exportTimm(definition, freshWeights(definition, 3)));
  const weight = toFloat32(tensors.get('fc.weight')!);
  const width = weight.length / CLASSES.length;
  const longer = weight.map((w, i) => w * [5, 2, 0.7][Math.floor(i / width)]!);
  tensors.set('fc.weight', { dtype: 'F32', shape: [CLASSES.length, width], data: longer });
  tensors.set('fc.bias', { dtype: 'F32', shape: [3], data: Float32Array.of(-0.5, -1.5, -2.5) });
  return { model: definition.config, tensors, width, longer };
}

async function forward(tensors: ReadonlyMap<string, SafetensorsTensor>): Promise<Float32Array> {
  const weights = join(await temporaryFolder(), 'weights.safetensors');
  await writeFile(weights, writeSafetensors(tensors));
  const model = await createModel(await testDevice(), { ...CONFIG, weights });
  const random = new Random(1, 'images');
  const images = Float32Array.from({ length: 6 * 16 * 16 }, () => random.normal());
  const logits = await model.forward(images, [6, 16, 16, 1]);
  await model.destroy();
  return logits;
}

function predictionsOf(logits: Float32Array): Predictions {
  return {
    classes: CLASSES,
    rows: Array.from({ length: logits.length / 3 }, (_, i) => ({
      image: `${i}`,
      probabilities: Float32Array.from(logits.subarray(3 * i, 3 * i + 3), sigmoid),
      split: 'test',
      note: '',
    })),
  };
}

describe('a τ-normalised classifier', () => {
  test.each([0, 0.5, 1])('gives what the network with those rows gives: τ %d', async (tau) => {
    const { model, tensors, width, longer } = unequalRows();
    const rows = classifierRows({ model, preprocessing: PREPROCESSING, tensors });
    expect(rows.biases).toEqual([-0.5, -1.5, -2.5]);
    const norms = [0, 1, 2].map((c) => Math.hypot(...longer.subarray(c * width, (c + 1) * width)));
    for (const [c, norm] of norms.entries()) expect(rows.lengths[c]).toBeCloseTo(norm, 10);
    const mean = Math.cbrt(norms[0]! * norms[1]! * norms[2]!);
    const data = longer.map((w, i) => w * (mean / norms[Math.floor(i / width)]!) ** tau);
    const changed = new Map(tensors).set('fc.weight', { dtype: 'F32', shape: [3, width], data });
    const [plain, expected] = [await forward(tensors), await forward(changed)];
    const { rows: scaled } = tauNormalise(predictionsOf(plain), rows, tau);
    for (const [i, { probabilities }] of scaled.entries()) {
      for (const [c, p] of Array.from(probabilities!).entries()) {
        expect(p).toBeCloseTo(sigmoid(expected[3 * i + c]!), 5);
      }
    }
  });

  test('has rows of one length at τ = 1, and the mean length stays', () => {
    const rows = { lengths: [8, 2, 0.5], biases: [0, 0, 0] };
    expect(tauFactors(rows, 0)).toEqual([1, 1, 1]);
    const factors = tauFactors(rows, 1);
    for (const [c, length] of rows.lengths.entries()) expect(length * factors[c]!).toBeCloseTo(2, 12);
  });

  test('is refused for a head that is no linear layer', () => {
    const { config } = defineModel({ ...CONFIG, head: 'csra' });
    expect(() => classifierRows({ model: config, preprocessing: PREPROCESSING, tensors: new Map() })).toThrow(
      /linear heads.*"csra"/,
    );
  });
});

test('τ is chosen by F1, which it can change, while AP and AUROC stay', () => {
  const random = new Random(5, 'tau');
  const n = 200;
  const labels = Float32Array.from({ length: 3 * n }, (_, i) =>
    Number(random.uniform() < [0.4, 0.2, 0.1][i % 3]!),
  );
  // rare classes are told apart as well as common ones, but on a smaller scale and far below 0
  const logits = labels.map((y, i) => {
    const [scale, bias] = [
      [4, -0.5],
      [1, -1.5],
      [0.3, -2.5],
    ][i % 3] as [number, number];
    return bias + scale * (4 * y - 0.5 + random.normal());
  });
  const predictions = predictionsOf(logits);
  const classifier = { lengths: [4, 1, 0.3], biases: [-0.5, -1.5, -2.5] };
  const table = {
    path: 'labels.csv',
    classes: CLASSES,
    rows: predictions.rows.map(({ image }) => ({ image, patient: null })),
    labels,
  };
  const part = { table, indices: Int32Array.from({ length: n }, (_, i) => i) };
  const { tau, tried } = chooseTau(predictions, [part as never], classifier);
  expect(tried).toHaveLength(11);
  expect(tau).toBeGreaterThan(0.3);
  expect(Math.max(...tried.map(({ f1 }) => f1))).toBe(tried.find((each) => each.tau === tau)?.f1);
  const macro = (each: Predictions) => {
    const scores = Float32Array.from(each.rows.flatMap(({ probabilities }) => Array.from(probabilities!)));
    return summarize(scores, labels, { n, classes: 3, classNames: CLASSES }).macro;
  };
  const [before, after] = [macro(predictions), macro(tauNormalise(predictions, classifier, tau))];
  expect(after.f1).toBeGreaterThan(before.f1 + 0.1);
  expect(after.mAP).toBeCloseTo(before.mAP, 6);
  expect(after.auroc).toBeCloseTo(before.auroc, 6);
});
