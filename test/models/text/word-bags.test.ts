import { describe, expect, test } from 'vitest';
import { wordBags } from '../../../src/models/text/word-bags.js';

const BUCKETS = 4096;

function cosine(a: string, b: string): number {
  const bags = wordBags([a, b], BUCKETS);
  let sum = 0;
  for (let i = 0; i < BUCKETS; i++) sum += bags[i]! * bags[BUCKETS + i]!;
  return sum;
}

describe('bags of words', () => {
  test('have length 1, whatever the length of the text', () => {
    const texts = ['mass', 'a', 'an opacity of more than 3 cm in the right upper lobe of the lung'];
    const bags = wordBags(texts, 64);
    for (let i = 0; i < texts.length; i++) {
      expect(Math.hypot(...bags.subarray(i * 64, (i + 1) * 64))).toBeCloseTo(1, 6);
    }
  });

  test('do not depend on order, case, white space and the form of accents', () => {
    expect(cosine('Dilated  bronchi', 'bronchi, DILATED')).toBeCloseTo(1, 6);
    expect(cosine('n\u00e9vus', 'ne\u0301vus')).toBeCloseTo(1, 6);
  });

  test('are nearer where words share letters in a row', () => {
    expect(cosine('bronchiectasis', 'atelectasis')).toBeGreaterThan(0.01);
    expect(cosine('pneumothorax', 'hydropneumothorax')).toBeGreaterThan(0.01);
    expect(cosine('bronchiectasis', 'goiter')).toBeLessThan(0.05);
  });

  test('are rows of zeros for texts without a word', () => {
    expect(wordBags(['…', ''], 16)).toEqual(new Float32Array(32));
  });
});
