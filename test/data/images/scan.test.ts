import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/data/dataset.js';
import { describeQuarantine, QuarantineError, scanImages } from '../../../src/data/images/scan.js';
import { madeDataset, tableNaming } from '../made-dataset.js';
import { numberedPng, png8 } from './pictures.js';
import { greyValues } from './reference-images.js';

async function badDataset() {
  const png = await numberedPng(0);
  const dataset = await madeDataset(9, {
    '1.png': '',
    '3.png': 'text',
    '4.png': png.subarray(0, png.length - 40),
    '7.png': await png8(new Uint8Array(64), 8, 8),
  });
  await rm(join(dataset.store.root, '2.png'));
  return dataset;
}

describe('the scan before training', () => {
  test('lists each unusable picture with its kind and line, and keeps the rest', async () => {
    const dataset = await badDataset();
    const calls: [number, number][] = [];
    const { readable, quarantined } = await scanImages(dataset, {
      onProgress: (...call) => calls.push(call),
    });
    expect([...readable]).toEqual([0, 5, 6, 8]);
    expect(quarantined.map(({ position, image, line, kind }) => [position, image, line, kind])).toEqual([
      [1, '1.png', 3, 'empty'],
      [2, '2.png', 4, 'missing'],
      [3, '3.png', 5, 'notAnImage'],
      [4, '4.png', 6, 'truncated'],
      [7, '7.png', 9, 'blank'],
    ]);
    expect(calls).toEqual(Array.from({ length: 9 }, (_, i) => [i + 1, 9]));
    const text = describeQuarantine(quarantined, 9);
    expect(text).toMatch(
      /^5 of 9 images can't be used \(1 empty, 1 missing, 1 notAnImage, 1 truncated, 1 blank\):/,
    );
    expect(text).toMatch(/line 5, 3\.png: is neither PNG, JPEG nor DICOM \(it starts with the text "text"\)/);
  });

  test('strict refuses, with the list', async () => {
    const error = await scanImages(await badDataset(), { strict: true }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(QuarantineError);
    expect((error as QuarantineError).quarantined).toHaveLength(5);
    expect((error as QuarantineError).message).toMatch(/made\.csv: 5 of 9 images can't be used/);
  });

  test('an identifier that leads out of the folder is quarantined too', async () => {
    const { store } = await madeDataset(1);
    const dataset = openDataset({ table: tableNaming(['0.png', '../../etc/passwd']), store });
    expect((await scanImages(dataset)).quarantined).toMatchObject([{ line: 3, kind: 'unsafePath' }]);
  });

  test('a sound data set passes, strict or not', async () => {
    const dataset = await madeDataset(5);
    expect(await scanImages(dataset, { strict: true })).toEqual({
      readable: Int32Array.of(0, 1, 2, 3, 4),
      quarantined: [],
      accepted: [],
    });
    expect(describeQuarantine([], 5)).toBe('all 5 images are readable.');
  });

  test('what it decodes stays for training, within the budget', async () => {
    const dataset = await madeDataset(5);
    await scanImages(dataset);
    expect(dataset.store.cachedBytes).toBe(5 * 6 * 5 * 2);
    await rm(join(dataset.store.root, '0.png'));
    expect(await dataset.loadPixels(0)).toHaveLength(30);
  });
});

describe('a data set', () => {
  test('with and without cache gives the same bytes; a budget is kept', async () => {
    const kept = await madeDataset(6);
    const none = await madeDataset(6, {}, { cacheBytes: 0 });
    const some = await madeDataset(6, {}, { cacheBytes: 150 });
    for (let i = 0; i < 6; i++) {
      const first = await kept.loadPixels(i);
      expect(await kept.loadPixels(i)).toEqual(first);
      expect(await none.loadPixels(i)).toEqual(first);
      expect(await some.loadPixels(i)).toEqual(first);
    }
    expect(none.store.cachedBytes).toBe(0);
    expect(some.store.cachedBytes).toBe(120);
  });

  test('pictures of 8 bits take half of the cache and have the same greys, as far as 8 bits go', async () => {
    const deep = await madeDataset(2);
    const flat = await madeDataset(2, {}, { preprocessing: { ...deep.preprocessing, bits: 8 } });
    const [expected, grey] = [greyValues(await deep.loadPixels(1)), greyValues(await flat.loadPixels(1))];
    expect(flat.store.cachedBytes).toBe(30);
    expect(await flat.loadPixels(1)).toBeInstanceOf(Uint8Array);
    for (const [i, value] of grey.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(0.51 / 255);
  });

  test('positions lead to rows and labels, in subsets too', async () => {
    const dataset = await madeDataset(6);
    const subset = dataset.subset([4, 1]).subset([1, 0]);
    expect(subset.length).toBe(2);
    expect([subset.row(0).image, subset.row(1).image]).toEqual(['1.png', '4.png']);
    expect([...subset.labels(1)]).toEqual([0, 1]);
    expect(await subset.loadPixels(1)).toEqual(await dataset.loadPixels(4));
    expect(() => subset.row(2)).toThrow(RangeError);
  });

  test('the same picture asked for twice at once is decoded once', async () => {
    const dataset = await madeDataset(1);
    const [a, b] = await Promise.all([dataset.store.prepared('0.png'), dataset.store.prepared('0.png')]);
    expect(a).toBe(b);
  });

  test('an unreadable picture rejects with the table’s line', async () => {
    const dataset = await madeDataset(3, { '1.png': 'text' });
    await expect(dataset.loadPixels(1)).rejects.toMatchObject({ kind: 'notAnImage', line: 3 });
    await expect(dataset.loadPixels(1)).rejects.toThrow(/1\.png \(table line 3\): is neither/);
  });
});
