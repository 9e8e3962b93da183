import { describe, expect, test } from 'vitest';
import type { Scorer } from '../../../src/predict/scorer.js';
import { MERGES, type Merge, mergeRule } from '../../../src/predict/views/merge.js';
import { ViewScorer } from '../../../src/predict/views/view-scorer.js';
import { viewsOf } from '../../../src/predict/views/views.js';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Two classes: the first pixel, and its opposite; it hears what it was asked. */
function firstPixel() {
  const seen: Float32Array[] = [];
  const scorer: Scorer = {
    classes: 2,
    batchSize: 2,
    imageShape: [4, 4, 1],
    logits: async (images) => {
      seen.push(images);
      return Float32Array.of(images[0]!, -images[0]!, images[16]!, -images[16]!);
    },
    probabilities: async (images) => (await scorer.logits(images)).map(sigmoid),
  };
  return { scorer, seen };
}

const images = Float32Array.from({ length: 32 }, (_, i) => 2 * Math.sin(i * 1.7));
const logitsOf = (image: number, set: 'flip' | 'medium') =>
  viewsOf(set).map((view) => view(images, [4, 4, 1])[16 * image]!);

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
    const { scorer, seen } = firstPixel();
    const shown = new ViewScorer(scorer, { set: 'medium' });
    expect(shown).toMatchObject({ classes: 2, batchSize: 2, imageShape: [4, 4, 1] });
    const probabilities = await shown.probabilities(images);
    expect(seen).toEqual(viewsOf('medium').map((view) => view(images, [4, 4, 1])));
    for (const image of [0, 1]) {
      const logits = logitsOf(image, 'medium');
      expect(new Set(logits).size).toBeGreaterThan(3);
      const mean = logits.reduce((sum, x) => sum + sigmoid(x), 0) / 6;
      expect(probabilities[2 * image]).toBeCloseTo(mean, 6);
      expect(probabilities[2 * image + 1]).toBeCloseTo(1 - mean, 6);
    }
  });

  test('averages logits where it is told to, and gives both scales by every merge', async () => {
    const { scorer } = firstPixel();
    const [a, b] = logitsOf(0, 'flip') as [number, number];
    const averaged = new ViewScorer(scorer, { set: 'flip', merge: 'logit-mean' });
    expect((await averaged.logits(images))[0]).toBeCloseTo((a + b) / 2, 6);
    for (const merge of MERGES) {
      const shown = new ViewScorer(scorer, { set: 'flip', merge });
      const [logits, probabilities] = [await shown.logits(images), await shown.probabilities(images)];
      for (const [i, x] of logits.entries()) expect(probabilities[i]).toBeCloseTo(sigmoid(x), 6);
    }
  });

  test('with one view is the scorer itself', async () => {
    const { scorer } = firstPixel();
    for (const merge of ['mean', 'max', 'median'] as const) {
      const shown = new ViewScorer(scorer, { set: 'none', merge });
      expect(await shown.probabilities(images)).toEqual(await scorer.probabilities(images));
    }
  });
});
