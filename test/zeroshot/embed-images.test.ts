import { expect, test } from 'vitest';
import type { GreyPixels } from '../../src/data/images/prepare.js';
import { openPredictionSource } from '../../src/predict/prediction-source.js';
import { type ViewSet, viewsOf } from '../../src/predict/views/views.js';
import { embedImages } from '../../src/zeroshot/embed-images.js';
import type { ImageTextModel } from '../../src/zeroshot/image-text-model.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { hashTensor } from '../golden/hash-weights.js';
import { referenceViews } from '../predict/views/reference-views.js';
import { tinyRecipe, writeTinyDataset } from '../train/run/tiny-run.js';

const WIDTH = 5;
const PIXELS = 256;
const weights = hashTensor('embed-images', [WIDTH, PIXELS]);

/** A product of the grey values with a matrix, with length 1. */
function embed(grey: Float64Array): Float32Array {
  const rows = Array.from({ length: grey.length / PIXELS }, (_, i) =>
    unit(
      Array.from({ length: WIDTH }, (_, w) =>
        grey
          .subarray(i * PIXELS, (i + 1) * PIXELS)
          .reduce((sum, value, p) => sum + value * weights[w * PIXELS + p]!, 0),
      ),
    ),
  );
  return Float32Array.from(rows.flat());
}

/** Pixels as each view of a set shows them, in float64. */
function shown(pixels: ArrayLike<number>, set: ViewSet): Float64Array[] {
  return referenceViews(set, pixels, [16, 16, 1]).map((values) => values.map((value) => value / 65535 - 0.5));
}

/** An image tower without a device, which shows the views of a set and keeps the pixels that it was given. */
function tower(set: ViewSet, given: GreyPixels[] = []): ImageTextModel {
  return {
    width: WIDTH,
    notes: [],
    preprocessing: tinyRecipe().preprocessing,
    encodeImages: async (pixels, view) => {
      given.push(pixels.slice());
      const seen = view ? viewsOf(set).indexOf(view) : 0;
      return embed(shown(pixels, set)[seen]!);
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
    const given: GreyPixels[] = [];
    await embedImages(tower('none', given), source, { batchSize: 5 });

    const { embeddings } = await embedImages(tower(tta), source, { batchSize: 2, tta });
    const views = shown(given[0]!, tta).map(embed);
    for (let i = 0; i < 5; i++) {
      const mean = unit(
        Array.from({ length: WIDTH }, (_, w) => views.reduce((sum, view) => sum + view[i * WIDTH + w]!, 0)),
      );
      for (const [w, value] of mean.entries()) expect(embeddings[i * WIDTH + w]).toBeCloseTo(value, 6);
    }
    expect(Math.abs(embeddings[0]! - views[0]![0]!)).toBeGreaterThan(1e-4);
  },
);
