import { expect, test } from 'vitest';
import { fingerprintOf } from '../../src/data/images/perceptual-hash.js';
import { pictureFacts } from '../../src/inspect/picture-facts.js';
import type { Picture } from '../../src/inspect/picture-survey.js';
import { wavyPicture } from '../data/images/pictures.js';

function pictureOf(i: number, change: Partial<Picture> = {}, pixels = wavyPicture(i, 40)): Picture {
  return {
    part: 'train',
    row: { image: `${i}.png`, patient: null, line: i + 2, split: null },
    labels: new Float32Array(0),
    width: 40,
    height: 40,
    depth: 8,
    darkest: 0,
    brightest: 255,
    digest: String(i),
    fingerprint: fingerprintOf({ width: 40, height: 40, maximum: 255, pixels }),
    ...change,
  };
}

test('a negative among pictures that are alike', () => {
  const chest = wavyPicture(0, 40);
  /** The same chest with something of its own. */
  const alike = (i: number) => wavyPicture(i, 40).map((value, at) => (value + 2 * (chest[at] ?? 0)) / 3);
  const pictures = Array.from({ length: 30 }, (_, i) => {
    const pixels = alike(i + 1);
    return pictureOf(i, {}, i === 7 ? pixels.map((value) => 255 - value) : pixels);
  });
  expect(pictureFacts({ pictures, unusable: [] }, [32, 32]).inverted).toEqual(['7.png']);
});

test('depths, bits that are used, sizes against the network’s', () => {
  const pictures = [
    pictureOf(0),
    pictureOf(1, { depth: 16, brightest: 4095 }),
    pictureOf(2, { depth: 16, brightest: 4096 }),
    pictureOf(3, { depth: 16, brightest: 65535, width: 60, height: 40 }),
    pictureOf(4, { width: 31, height: 31 }),
    pictureOf(5, { width: 31, height: 33 }),
  ];
  const facts = pictureFacts({ pictures, unusable: [] }, [32, 32]);
  expect(facts.depths).toEqual({ 8: 3, 16: 3 });
  expect(facts.bitsUsed).toEqual([
    { bits: 12, images: 1 },
    { bits: 13, images: 1 },
    { bits: 16, images: 1 },
  ]);
  expect(facts.enlarged).toBe(1);
  expect(facts.distorted).toBe(1);
  expect(facts.sizes[0]).toEqual({ width: 40, height: 40, images: 3 });
});

test('copies are grouped, those across parts first', () => {
  const same = wavyPicture(1, 40);
  const dark = same.map((value) => 20 + 0.7 * value);
  const pictures = [
    pictureOf(0, { digest: 'x', row: { image: 'a', patient: 'p', line: 2, split: null } }),
    pictureOf(0, { digest: 'x', row: { image: 'b', patient: 'p', line: 3, split: null } }),
    pictureOf(1, { labels: Float32Array.of(1, Number.NaN) }, same),
    pictureOf(2, { part: 'test', labels: Float32Array.of(1, 0) }, dark),
    pictureOf(3),
  ];
  const { copies } = pictureFacts({ pictures, unusable: [] }, [32, 32]);
  expect(copies.map(({ kind, members }) => [kind, ...members.map(({ image }) => image)])).toEqual([
    ['near', '1.png', '2.png'],
    ['identical', 'a', 'b'],
  ]);
  expect(copies[0]).toMatchObject({ parts: ['train', 'test'], patients: 0, labelsDiffer: true });
  expect(copies[1]).toMatchObject({ parts: ['train'], patients: 1, labelsDiffer: false, correlation: 1 });
});
