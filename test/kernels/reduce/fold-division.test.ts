import { describe, expect, test } from 'vitest';
import { divideFold, type FoldExtent } from '../../../src/kernels/reduce/fold-division.js';
import { ARC, H100, INTEGRATED, M2, RDNA3 } from '../../gpus.js';

const GPUS = { H100, M2, RDNA3, ARC, INTEGRATED };

/** In units of four elements along `inner`, or along `size` where that is 1. */
const SUMS: Readonly<Record<string, FoldExtent>> = {
  'a channel of a large image': { outer: 1, size: 32 * 56 * 56, inner: 24 },
  'a channel of a small image': { outer: 1, size: 32 * 7 * 7, inner: 192 },
  'a gradient norm': { outer: 1, size: 7e6, inner: 1 },
  'many shares of few weights': { outer: 1, size: 1792, inner: 1176 },
  'few shares of many weights': { outer: 1, size: 4, inner: 590_000 },
};

describe.each(Object.entries(GPUS))('on a GPU like %s', (_, traits) => {
  const groups = (slots: number, { lanes, group }: { lanes: number; group: number }) =>
    Math.ceil((slots * lanes) / group);

  test.each(Object.entries(SUMS))('the sum of %s keeps the device busy', (_name, extent) => {
    const { chunks, first, second } = divideFold({ extent, width: 4, style: 'tree' }, traits, false);
    const results = extent.outer * extent.inner;
    const terms = Math.ceil(extent.size / chunks / first.lanes);
    // Where lanes have much to do one after another, it is because the device is full.
    if (terms > 32) {
      expect(groups(results * chunks, first)).toBeGreaterThan(traits.residentGroups / 2);
    }
    expect(terms).toBeLessThanOrEqual(1024);
    if (chunks > 1) {
      expect(Math.ceil(chunks / second.lanes)).toBeLessThanOrEqual(32);
      expect(groups(results * chunks, first)).toBeLessThanOrEqual(2 * traits.residentGroups);
    }
    for (const { group, lanes } of [first, second]) {
      expect(group).toBeLessThanOrEqual(traits.maxInvocations);
      expect(group % lanes).toBe(0);
    }
  });

  test('what goes back to every element is one dispatch', () => {
    const extent = { outer: 4, size: 100_000, inner: 1 };
    expect(divideFold({ extent, width: 4, style: 'tree' }, traits, true).chunks).toBe(1);
  });
});
