import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { Random } from '../../../src/engine/random.js';
import { readPictures } from '../../../src/report/samples/pictures.js';
import { png8 } from '../../data/images/pictures.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

const preprocessing = preprocessingSchema.parse({ size: [32, 32] });

test('pictures keep the shape and size of their files, up to the longest side', async () => {
  const root = await temporaryFolder();
  await writeFile(join(root, 'small.png'), await ramp(40, 60));
  await writeFile(join(root, 'large.png'), await ramp(600, 900));
  const pictures = await readPictures(['small.png', 'large.png', 'gone.png', 'small.png'], {
    root,
    preprocessing,
    budget: 1e6,
  });
  expect([...pictures.keys()]).toEqual(['small.png', 'large.png', 'gone.png']);
  const sizes = [...pictures.values()].map((picture) => picture && [picture.width, picture.height]);
  expect(sizes).toEqual([[40, 60], [384, 576], null]);
  const { data, info } = await sharp(
    Buffer.from(pictures.get('small.png')?.uri.split(',')[1] ?? '', 'base64'),
  )
    .toColourspace('b-w')
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([40, 60, 1]);
  // from left to right as in the file
  for (const x of [2, 20, 37]) expect(Math.abs((data[30 * 40 + x] ?? 0) - (255 * x) / 39)).toBeLessThan(8);
});

test('many pictures become smaller until they fit the budget', async () => {
  const root = await temporaryFolder();
  const names = ['a.png', 'b.png', 'c.png'];
  for (const [i, name] of names.entries()) {
    const random = new Random(i, 'noise');
    await writeFile(
      join(root, name),
      await png8(
        Uint8Array.from({ length: 512 * 512 }, () => random.int(256)),
        512,
        512,
      ),
    );
  }
  const options = { root, preprocessing };
  const lengthOf = (pictures: Awaited<ReturnType<typeof readPictures>>) =>
    [...pictures.values()].reduce((sum, picture) => sum + (picture?.uri.length ?? 0), 0);
  const all = await readPictures(names, { ...options, budget: Number.POSITIVE_INFINITY });
  const budget = Math.round(lengthOf(all) / 4);
  const fitted = await readPictures(names, { ...options, budget });
  expect(lengthOf(fitted)).toBeLessThanOrEqual(budget);
  const side = fitted.get('a.png')?.width ?? 0;
  expect(side).toBeLessThan(512);
  expect(side).toBeGreaterThan(128);
});

/** From black on the left to white on the right. */
function ramp(width: number, height: number): Promise<Buffer> {
  return png8(
    Uint8Array.from({ length: width * height }, (_, i) => Math.round((255 * (i % width)) / (width - 1))),
    height,
    width,
  );
}
