import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataset } from '../../src/data/dataset.js';
import { scanImages } from '../../src/data/images/scan.js';
import { defineModel } from '../../src/models/model.js';
import { exportTimm } from '../../src/models/weights/timm-weights.js';
import { Classifier } from '../../src/predict/classifier.js';
import { predictDataset, predictionRows } from '../../src/predict/predict.js';
import { openPredictionSource } from '../../src/predict/prediction-source.js';
import type { Scorer } from '../../src/predict/scorer.js';
import { freshWeights } from '../../src/weights/initial-weights.js';
import { greyValues } from '../data/images/reference-images.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { tinyRecipe, writeTinyDataset } from '../train/run/tiny-run.js';

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const { preprocessing } = tinyRecipe();

/** Scores each picture by its mean grey value, without a device. */
const brightness: Scorer = {
  classes: 1,
  batchSize: 2,
  logits: async (pixels) =>
    Float32Array.from([0, 1], (i) => mean(greyValues(pixels.slice(i * 256, (i + 1) * 256)))),
  probabilities: async (pixels) => (await brightness.logits(pixels)).map(sigmoid),
};

test('anything that scores batches scores data sets; what an unreadable picture lacks is said without folders', async () => {
  const folder = await writeTinyDataset(await temporaryFolder());
  const names = ['0.png', 'gone.png', '1.png', '../outside.png', '/etc/passwd', '2.png'];
  const path = join(folder, 'list.csv');
  await writeFile(path, `ImageID\n${names.join('\n')}\n`);
  const { table, imageRoot } = await openPredictionSource(path, { classes: ['bright'] });
  const all = openDataset({ table, root: imageRoot, preprocessing });
  const { readable, quarantined, accepted } = await scanImages(all);
  const done: number[] = [];
  const probabilities = await predictDataset(brightness, all.subset(readable), {
    onProgress: async (count) => void done.push(count),
  });
  expect(done).toEqual([2, 3]);
  const rows = predictionRows({ all, quarantined, accepted }, probabilities, 1);
  expect(rows.map(({ image, note }) => [image, note])).toEqual([
    ['0.png', ''],
    [
      'gone.png',
      'missing: no such image in the image folder (nor with .png, .jpg, .jpeg, .dcm, nor in images/).',
    ],
    ['1.png', ''],
    ['../outside.png', 'unsafePath: leads outside the image folder; it is not opened.'],
    ['/etc/passwd', 'unsafePath: must be a path relative to the image folder.'],
    ['2.png', ''],
  ]);
  for (const [i, position] of [0, 2, 5].entries()) {
    const grey = greyValues(await all.loadPixels(position));
    expect(rows[position]?.probabilities?.[0]).toBe(probabilities[i]);
    expect(probabilities[i]).toBeCloseTo(sigmoid(mean(grey)), 5);
  }
});

test('a network gives logits, and probabilities that are their sigmoid', async () => {
  const config = { arch: 'resnet10', classes: 3, stem: 'small-stride2', width: 4 } as const;
  const definition = defineModel(config);
  const classifier = await Classifier.load(
    await testDevice(),
    {
      tensors: exportTimm(definition, freshWeights(definition, 0)),
      model: definition.config,
      classes: ['a', 'b', 'c'],
      preprocessing,
      weights: 'raw',
      epoch: 1,
      step: 1,
      metrics: { mAP: null, auroc: null },
      prevalence: [null, null, null],
      simulated: true,
      recipe: {},
      tailray: '0',
    },
    { path: 'made.safetensors', batchSize: 2 },
  );
  expect(classifier).toMatchObject({ classes: 3, batchSize: 2 });
  const pixels = Uint16Array.from({ length: 512 }, (_, i) => 32767 * (1 + Math.sin(i * 0.37)));
  const logits = await classifier.logits(pixels);
  const probabilities = await classifier.probabilities(pixels);
  classifier.destroy();
  expect(logits).toHaveLength(6);
  expect(Math.max(...logits.map(Math.abs))).toBeGreaterThan(0.01);
  for (const [i, x] of logits.entries()) expect(probabilities[i]).toBeCloseTo(sigmoid(x), 6);
});
