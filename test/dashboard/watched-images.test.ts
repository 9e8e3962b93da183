import { expect, test } from 'vitest';
import { chooseWatched } from '../../src/dashboard/watched-images.js';
import { openDataset } from '../../src/data/dataset.js';
import { readTable } from '../../src/data/tables/table.js';
import { temporaryFolder } from '../data/temporary-folder.js';

async function dataset(lines: readonly string[]) {
  const folder = await temporaryFolder({ 'train.csv': ['ImageID,PatientID,a,b,c', ...lines].join('\n') });
  const table = await readTable(`${folder}/train.csv`);
  return openDataset({ table, root: folder, preprocessing: { size: [4, 4] } as never });
}

test('a seed chooses the same images, each with a finding, rare sets of findings first', async () => {
  const lines = Array.from({ length: 200 }, (_, i) => {
    const labels = i === 50 ? '0,1,0' : i === 120 ? '1,0,1' : i % 3 === 0 ? '0,0,0' : '1,0,0';
    return `${i}.png,p${i >> 1},${labels}`;
  });
  const images = await dataset(lines);
  const chosen = chooseWatched(images, 7);
  expect(chosen).toHaveLength(12);
  expect(new Set(chosen).size).toBe(12);
  expect(chosen.slice(0, 3)).toEqual(expect.arrayContaining([50, 120]));
  for (const position of chosen) expect([...images.labels(position)]).toContain(1);
  expect(chooseWatched(images, 7)).toEqual(chosen);
  expect(chooseWatched(images, 8)).not.toEqual(chosen);
  expect(chooseWatched(await dataset(['0.png,p,0,0,0', '1.png,q,,,']), 7)).toEqual([]);
});
