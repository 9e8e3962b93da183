import { z } from 'zod';
import { defineRule } from './rule.js';
import { meanRow, unitRows } from './vectors.js';

/**
 * f ← (f − s·μ) / |f − s·μ|, with μ the mean of a bank of images without labels. Embeddings of one kind of image share a
 * large part, which hides the small one that differs. The new length differs from image to image: the division by it can
 * change a ranking, the subtraction alone could not.
 */
export const centred = defineRule({
  name: 'centred',
  summary: 'takes the mean of unlabelled images off the image embeddings, which get length 1 again',
  source: 'definition',
  kind: 'images',
  canChangeRanking: true,
  parameters: z.strictObject({
    strength: z.number().min(0).max(1).default(1).describe('s: share of the mean that is taken off'),
  }),
  step: ({ strength }) => ({
    kind: 'images',
    change(images, { bank, layout: { width } }) {
      const mean = meanRow(bank, width);
      return unitRows(
        images.map((value, i) => value - strength * (mean[i % width] ?? 0)),
        width,
        'centred: image',
        'it equals the mean of the bank: give a bank of more images',
      );
    },
  }),
});
