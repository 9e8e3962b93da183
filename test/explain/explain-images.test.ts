import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExplainRow, explainImages } from '../../src/explain/explain-images.js';
import { writeOverlays } from '../../src/explain/pictures/write-overlays.js';
import { maskFolder } from '../../src/explain/pointing/mask.js';
import { measurePointing } from '../../src/explain/pointing/pointing.js';
import { testDevice } from '../device.js';
import { CELLS, knownNetwork, SIDE, SLOPE, type Square, squarePicture } from './known-network.js';

const checkpoint = knownNetwork();
/** Each covers one cell of the map, its first pixel and its middle. */
const SQUARES: Readonly<Record<string, Square>> = {
  'a.png': [14, 22, 23, 31],
  'b/c.png': [22, 6, 31, 15],
};
const ROWS: readonly ExplainRow[] = [
  { image: 'a.png', column: 0 },
  { image: 'a.png', column: 1 },
  { image: 'b/c.png', column: 0 },
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-explain-'));
  const files: Record<string, Uint8Array> = {
    'images/a.png': squarePicture(SQUARES['a.png']!),
    'images/b/c.png': squarePicture(SQUARES['b/c.png']!),
    // the first square's place, and one where nothing is
    'masks/bright/a.png': squarePicture(SQUARES['a.png']!, 255, 0),
    'masks/bright/b/c.png': squarePicture([0, 0, 4, 4], 255, 0),
    'masks/dark/a.png': squarePicture(SQUARES['a.png']!, 255, 0),
  };
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const explained = async (method: 'grad-cam' | 'csra' | 'rollout' = 'grad-cam', batchSize = 2) =>
  explainImages(await testDevice(), {
    checkpoint,
    path: 'known.safetensors',
    imageRoot: join(folder, 'images'),
    rows: ROWS,
    method,
    batchSize,
  });

/** Brightness at every 8th pixel times the slope over the number of cells. */
function expected([left, top, right, bottom]: Square): number[] {
  return Array.from({ length: CELLS ** 2 }, (_, i) => {
    const [x, y] = [8 * (i % CELLS), 8 * Math.floor(i / CELLS)];
    const inside = x >= left && x < right && y >= top && y < bottom;
    return ((inside ? 1 : 0.2) * SLOPE) / CELLS ** 2;
  });
}

describe('a network that hands its input through', () => {
  test('has the maps that its construction says, whatever the batch', async () => {
    const { rows, maps, how } = await explained();
    expect(how).toMatch(/^Grad-CAM/);
    expect([maps.count, maps.grid, maps.imageSize]).toEqual([3, [CELLS, CELLS], [SIDE, SIDE]]);
    for (const [i, { image, column }] of ROWS.entries()) {
      const bright = expected(SQUARES[image]!);
      const [cells, wanted] = [maps.cellsOf(i), column === 0 ? bright : bright.map(() => 0)];
      for (const [cell, value] of cells.entries()) expect(value).toBeCloseTo(wanted[cell]!, 5);
      const logit = (column === 0 ? 1 : -1) * bright.reduce((sum, value) => sum + value);
      expect(rows[i]).toMatchObject({ image, column });
      expect(rows[i]!.probability).toBeCloseTo(1 / (1 + Math.exp(-logit)), 5);
    }
    const one = await explained('grad-cam', 4);
    expect(one.maps.cells).toEqual(maps.cells);
    // the middle of the bright cell
    const map = maps.stretched(0);
    expect(map[28 * SIDE + 20]).toBeGreaterThan(0.8);
    expect(Math.max(...map)).toBe(1);
    expect(maps.stretched(1).every((value) => value === 0)).toBe(true);
    expect(maps.allStretched().length).toBe(3 * SIDE * SIDE);
  });

  test('hits the mask of what it looks at, and no other', async () => {
    const masks = await maskFolder(join(folder, 'masks'));
    const rows = await measurePointing(await explained(), masks, {
      classes: checkpoint.classes,
      patients: ['p', 'p', 'q'],
      resamples: 50,
    });
    expect(rows.map(({ finding, images }) => [finding, images])).toEqual([
      ['bright', 2],
      ['dark', 1],
    ]);
    const [bright, dark] = rows;
    expect(bright!.hits.estimate).toBe(0.5);
    expect(bright!.area).toBeCloseTo((81 + 16) / 2 / SIDE ** 2, 9);
    expect(bright!.ratio.estimate).toBeCloseTo(bright!.energy.estimate / bright!.area, 9);
    expect([dark!.hits.estimate, dark!.energy.estimate]).toEqual([0, 0]);
    expect(dark!.hits.whyMissing).toBe('every draw of patients gives the same value');
    await expect(maskFolder(join(folder, 'none'))).rejects.toThrow('synth --masks draws one');
  });

  test('has overlays in the folders of its images, as large as people want them, with the raw maps beside', async () => {
    const out = join(folder, 'out');
    await mkdir(out);
    const masks = await maskFolder(join(folder, 'masks'));
    const common = { checkpoint, imageRoot: join(folder, 'images'), out, masks };
    const files = await writeOverlays(await explained(), { ...common, raw: 'npy' });
    expect(files.map((file) => file.slice(out.length + 1))).toEqual([
      'a.bright.grad-cam.png',
      'a.dark.grad-cam.png',
      'b/c.bright.grad-cam.png',
    ]);
    expect((await readdir(join(out, 'b'))).sort()).toEqual([
      'c.bright.grad-cam.npy',
      'c.bright.grad-cam.png',
    ]);
    const { format, width, height, channels } = await sharp(files[0]).metadata();
    expect({ format, width, channels }).toEqual({ format: 'png', width: 512, channels: 3 });
    expect(height).toBeGreaterThan(512);
    const npy = await readFile(join(out, 'a.bright.grad-cam.npy'));
    expect(npy.toString('latin1', 0, 128)).toContain(`'shape': (${SIDE}, ${SIDE})`);
    // the picture of the class that the network does not see is grey, but for the outline of its mask
    const dark = await sharp(files[1]).raw().toBuffer();
    const corner = dark.subarray(0, 3);
    expect([...corner]).toEqual([51, 51, 51]);
    expect((await sharp(files[0]).raw().toBuffer()).equals(dark)).toBe(false);
  });
});

test.each([
  ['csra', 'csra and csra_original do. Take grad-cam'],
  ['rollout', 'vision transformers have. Take grad-cam'],
] as const)('%s is refused where there is no such attention', async (method, message) => {
  await expect(explained(method)).rejects.toThrow(message);
});
