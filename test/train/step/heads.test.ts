import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defineModel, initialParameters } from '../../../src/models/model.js';
import { exportTimm } from '../../../src/models/weights/timm-weights.js';
import { createModel } from '../../../src/predict/create-model.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import { examineTrainingData } from '../../../src/train/run/training-data.js';
import { readCheckpoint } from '../../../src/weights/checkpoint.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { prepared, tinyRecipe, writeTinyDataset } from '../run/tiny-run.js';

/** Maps of 2×3 positions. */
const SIZE = [32, 48] as const;

const HEADS = [
  { name: 'csra', lambda: 0.2 },
  { name: 'csra_original', heads: 2, lambda: 0.1 },
  { name: 'ml_decoder', queries: 1, width: 16, heads: 2, feedForward: 24, dropout: 0.2 },
  { name: 'projection', dims: 8, hidden: 12 },
];

describe.each(HEADS)('a run with the head $name', (head) => {
  test('leaves a checkpoint that says so, of parameters that have learned but for the fixed ones', async () => {
    const device = await testDevice();
    const recipe = tinyRecipe(
      `model.head=${JSON.stringify(head)}`,
      `preprocessing.size=[${SIZE}]`,
      'schedule={epochs: 1}',
      'ema=false',
    );
    const folder = await writeTinyDataset(await temporaryFolder());
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    await trainRun(prepared({ recipe, run, data: await examineTrainingData(folder, recipe) }), { device });

    const { model: config, tensors } = await readCheckpoint(run.best);
    expect(config.head).toMatchObject(head);
    const definition = defineModel(config);
    const parameters = initialParameters(definition, recipe.seed);
    const fresh = exportTimm(
      { parameters: definition.parameters, statistics: [] },
      { parameters, statistics: new Map() },
    );
    for (const { name, group, fixed } of definition.parameters) {
      if (group !== 'head') continue;
      const [before, after] = [fresh.get(name)?.data, tensors.get(name)?.data];
      if (fixed) expect(after, name).toEqual(before);
      else expect(after, name).not.toEqual(before);
    }
    expect(definition.parameters.some(({ fixed }) => fixed)).toBe(head.name === 'ml_decoder');

    const model = await createModel(device, { ...config, weights: run.best });
    const images = Float32Array.from({ length: 2 * 32 * 48 }, (_, i) => Math.sin(i * 0.37));
    const logits = await model.forward(images, [2, ...SIZE, 1]);
    expect(logits).toHaveLength(4);
    expect(logits.every(Number.isFinite)).toBe(true);
    if (head.name === 'projection') {
      const embeddings = await model.embeddings(images, [2, ...SIZE, 1]);
      const lengths = [0, 8].map((first) => Math.hypot(...embeddings.subarray(first, first + 8)));
      expect(lengths).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
    } else {
      await expect(model.embeddings(images, [2, ...SIZE, 1])).rejects.toThrow(
        `the head ${head.name} makes no embeddings; projection does`,
      );
    }
    await model.destroy();
  });
});
