import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keptFacts } from '../../../src/platform/node/adapter-memory.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

const device = 'some GPU, driver 1.2';

test('what is known of an adapter is measured once, and kept for each driver', async () => {
  const folder = join(await temporaryFolder(), 'not', 'there', 'yet');
  let measured = 0;
  const measure = async () => ({ residentGroups: 100 + measured++ });
  expect(await keptFacts({ device, folder }, measure)).toEqual({ residentGroups: 100 });
  expect(await keptFacts({ device, folder }, measure)).toEqual({ residentGroups: 100 });
  expect(await keptFacts({ device: 'some GPU, driver 1.3', folder }, measure)).toEqual({
    residentGroups: 101,
  });
  expect(await keptFacts({ device, folder }, measure)).toEqual({ residentGroups: 100 });
  expect(await readdir(folder)).toHaveLength(2);
});

test('a damaged file is measured and written anew', async () => {
  const folder = await temporaryFolder();
  await keptFacts({ device, folder }, async () => ({ residentGroups: 7 }));
  const [name = ''] = await readdir(folder);
  for (const damage of ['', '{', '{"residentGroups":-1}', '{"residentGroups":"many"}']) {
    await writeFile(join(folder, name), damage);
    expect(await keptFacts({ device, folder }, async () => ({ residentGroups: 9 }))).toEqual({
      residentGroups: 9,
    });
    expect(JSON.parse(await readFile(join(folder, name), 'utf8'))).toEqual({ residentGroups: 9 });
  }
});

test('what cannot be kept does not count', async () => {
  const file = join(await temporaryFolder(), 'tuned');
  await writeFile(file, '');
  expect(await keptFacts({ device, folder: file }, async () => ({ residentGroups: 7 }))).toBeUndefined();
});

test('processes that measure at once agree', async () => {
  const folder = await temporaryFolder();
  await Promise.all(
    [5, 6].map((residentGroups) => keptFacts({ device, folder }, async () => ({ residentGroups }))),
  );
  const later = async () => ({ residentGroups: 0 });
  expect([5, 6]).toContain((await keptFacts({ device, folder }, later))?.residentGroups);
});
