import { expect, test } from 'vitest';
import { openPredictionSource } from '../../src/predict/prediction-source.js';
import { viewsOf } from '../../src/predict/views/views.js';
import { embedImages } from '../../src/zeroshot/embed-images.js';
import type { ImageTextModel } from '../../src/zeroshot/image-text-model.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { hashTensor } from '../golden/hash-weights.js';
import { tinyRecipe, writeTinyDataset } from '../train/run/tiny-run.js';

const WIDTH = 5;
const PIXELS = 256;
const weights = hashTensor('embed-images', [WIDTH, PIXELS]);

/** A product with a matrix, with length 1: an image tower without a device, which keeps what it was given. */
function product(given: Float32Array[] = []): ImageTextModel {
  return {
    width: WIDTH,
    notes: [],
    preprocessing: tinyRecipe().preprocessing,
    encodeImages: async (images) => {
      given.push(images.slice());
      const rows = Array.from({ length: images.length / PIXELS }, (_, i) =>
        unit(
          Array.from({ length: WIDTH }, (_, w) =>
            images
              .subarray(i * PIXELS, (i + 1) * PIXELS)
              .reduce((sum, value, p) => sum + value * weights[w * PIXELS + p]!, 0),
          ),
        ),
      );
      return Float32Array.from(rows.flat());
    },
    textSide: () => {
      throw new Error('not asked for');
    },
    destroy: async () => undefined,
  };
}

function unit(row: readonly number[]): number[] {
  const length = Math.hypot(...row);
  return row.map((value) => value / length);
}

test.each(['flip', 'flip-scale'] as const)(
  'with %s, an embedding is the mean of its views’ with length 1 again',
  async (tta) => {
    const folder = await writeTinyDataset(await temporaryFolder(), 5);
    const source = await openPredictionSource(`${folder}/images`, { classes: [] });
    const given: Float32Array[] = [];
    await embedImages(product(given), source, { batchSize: 5 });
    const images = given[0]!;

    const { embeddings } = await embedImages(product(), source, { batchSize: 2, tta });
    const views = await Promise.all(
      viewsOf(tta).map((view) => product().encodeImages(view(images, [16, 16, 1]))),
    );
    for (let i = 0; i < 5; i++) {
      const mean = unit(
        Array.from({ length: WIDTH }, (_, w) => views.reduce((sum, view) => sum + view[i * WIDTH + w]!, 0)),
      );
      for (const [w, value] of mean.entries()) expect(embeddings[i * WIDTH + w]).toBeCloseTo(value, 6);
    }
    expect(Math.abs(embeddings[0]! - views[0]![0]!)).toBeGreaterThan(1e-4);
  },
);
