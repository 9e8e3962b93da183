import { describe, expect, test } from 'vitest';
import type { Scorer } from '../../../src/predict/scorer.js';
import { MERGES, type Merge, mergeRule } from '../../../src/predict/views/merge.js';
import type { View } from '../../../src/predict/views/view.js';
import { ViewScorer } from '../../../src/predict/views/view-scorer.js';
import { viewsOf } from '../../../src/predict/views/views.js';
import { referenceViews } from './reference-views.js';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const pixels = Uint8Array.from({ length: 32 }, (_, i) => 127 * (1 + Math.sin(i * 1.7)));

/** The first pixel of each image in each view of `medium`, in [−2, 2]. */
const firstPixels = referenceViews('medium', pixels, [4, 4, 1]).map((seen) =>
  [0, 16].map((i) => seen[i]! / 64 - 2),
);

/** Two classes: the first pixel of a view, and its opposite; it hears what it was asked. */
function firstPixel() {
  const heard: (View | undefined)[] = [];
  const scorer: Scorer = {
    classes: 2,
    batchSize: 2,
    logits: async (asked, view = viewsOf('medium')[0]!) => {
      expect(asked).toBe(pixels);
      heard.push(view);
      return Float32Array.from(
        firstPixels[viewsOf('medium').indexOf(view)]!.flatMap((value) => [value, -value]),
      );
    },
    probabilities: async (asked, view) => (await scorer.logits(asked, view)).map(sigmoid),
  };
  return { scorer, heard };
}

test.each<[Merge, number[], number]>([
  ['mean', [0.1, 0.9, 0.4, 0.2], 0.4],
  ['logit-mean', [-1, 3, 0.5, -0.5], 0.5],
  ['max', [0.1, 0.9, 0.4, 0.2], 0.9],
  ['gmean', [0.1, 0.9, 0.4, 0.2], (0.1 * 0.9 * 0.4 * 0.2) ** 0.25],
  ['gmean', [0, 1], 1e-4],
  ['gmean', [1, 1], 1],
  ['median', [0.1, 0.9, 0.4, 0.2], 0.2],
  ['median', [0.7, 0.1, 0.3], 0.3],
])('%s of %j is %d', (merge, values, expected) => {
  expect(mergeRule(merge).combine(Float64Array.from(values))).toBeCloseTo(expected, 6);
});

describe('a scorer that shows views', () => {
  test('shows each view in turn and merges what it hears', async () => {
    const { scorer, heard } = firstPixel();
    const shown = new ViewScorer(scorer, { set: 'medium' });
    expect(shown).toMatchObject({ classes: 2, batchSize: 2 });
    const probabilities = await shown.probabilities(pixels);
    expect(heard).toEqual(viewsOf('medium'));
    for (const image of [0, 1]) {
      const logits = firstPixels.map((values) => values[image]!);
      expect(new Set(logits).size).toBeGreaterThan(3);
      const mean = logits.reduce((sum, x) => sum + sigmoid(x), 0) / 6;
      expect(probabilities[2 * image]).toBeCloseTo(mean, 6);
      expect(probabilities[2 * image + 1]).toBeCloseTo(1 - mean, 6);
    }
  });

  test('averages logits where it is told to, and gives both scales by every merge', async () => {
    const { scorer } = firstPixel();
    const [[a], [b]] = firstPixels as [[number], [number]];
    const averaged = new ViewScorer(scorer, { set: 'flip', merge: 'logit-mean' });
    expect((await averaged.logits(pixels))[0]).toBeCloseTo((a + b) / 2, 6);
    for (const merge of MERGES) {
      const shown = new ViewScorer(scorer, { set: 'flip', merge });
      const [logits, probabilities] = [await shown.logits(pixels), await shown.probabilities(pixels)];
      for (const [i, x] of logits.entries()) expect(probabilities[i]).toBeCloseTo(sigmoid(x), 6);
    }
  });

  test('with one view is the scorer itself', async () => {
    const { scorer } = firstPixel();
    for (const merge of ['mean', 'max', 'median'] as const) {
      const shown = new ViewScorer(scorer, { set: 'none', merge });
      expect(await shown.probabilities(pixels)).toEqual(await scorer.probabilities(pixels));
    }
  });
});
