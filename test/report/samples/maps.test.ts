import sharp from 'sharp';
import { expect, test } from 'vitest';
import { leftShare } from '../../../src/report/samples/looked.js';
import { mapColours, mapPicture } from '../../../src/report/samples/map-picture.js';

const looked = (map: number[], width: number) => ({
  map: Float32Array.from(map),
  width,
  height: map.length / width,
  method: 'Grad-CAM',
});

test('the share of a map on the left half of the image; a middle column counts half', () => {
  expect(leftShare(looked([1, 0, 0, 0], 2))).toBe(1);
  expect(leftShare(looked([0, 0, 1, 1], 2))).toBe(0.5);
  expect(leftShare(looked([1, 2, 1], 3))).toBe(0.5);
  expect(leftShare(looked([0, 0, 3], 3))).toBe(0);
  expect(leftShare(looked([0, 0], 2))).toBeNaN();
});

test('a map is a picture whose opacity grows with it', async () => {
  const values = [0, 0.2, 0.4, 0.6, 0.8, 1];
  const { data, info } = await decoded(mapPicture(looked(values, 3)));
  expect([info.width, info.height, info.channels]).toEqual([3, 2, 4]);
  const opacities = values.map((_, i) => data[4 * i + 3] ?? 0);
  expect(opacities).toEqual(values.map((value) => Math.round(255 * 0.72 * (Math.round(value * 15) / 15))));
  expect(mapColours().at(-1)).toBe('rgba(255,240,150,0.72)');
});

test('a fine map is averaged to 32 pixels a side at most', async () => {
  const half = Array.from({ length: 100 * 64 }, (_, i) => (i % 100 < 50 ? 1 : 0));
  const { data, info } = await decoded(mapPicture(looked(half, 100)));
  expect([info.width, info.height]).toEqual([25, 16]);
  expect([data[3], data[4 * 24 + 3]]).toEqual([184, 0]);
  // the column in the middle holds two of each
  expect(data[4 * 12 + 3]).toBe(Math.round(255 * 0.72 * (8 / 15)));
});

async function decoded(uri: string) {
  const bytes = Buffer.from(uri.slice('data:image/png;base64,'.length), 'base64');
  return sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
}
