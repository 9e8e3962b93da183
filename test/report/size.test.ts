import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeReport } from '../../src/report/report.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { writeDataset, writeRun } from './made-up-run.js';

test('the report of 36 classes with pictures and maps stays below 8 MB, however noisy the pictures are', async () => {
  const folder = await temporaryFolder();
  const classes = Array.from({ length: 36 }, (_, c) => `Made-up finding ${c + 1}`);
  const data = await writeDataset(join(folder, 'data'), {
    classes,
    images: 2000,
    halving: 3,
    pictures: { different: 24, size: 480 },
  });
  const run = await writeRun(join(folder, 'run'), { data, halving: 3 });
  const { path } = await writeReport([run], {
    resamples: 20,
    explain: async () => ({
      lookAt: async (requests) =>
        requests.map((_, r) => ({
          map: Float32Array.from({ length: 1024 }, (__, i) => ((i * 7919 + r * 31) % 97) / 96),
          width: 32,
          height: 32,
          method: 'made-up map',
        })),
      pointing: async () => null,
    }),
  });
  const { size } = await stat(path);
  expect(size).toBeLessThan(8e6);
  // the budget is used
  expect(size).toBeGreaterThan(3e6);
});
