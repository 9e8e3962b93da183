import { spawnSync } from 'node:child_process';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockRun } from '../../../src/train/run/run-lock.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

test('a run belongs to one process at a time', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'run', '.lock');
  const release = await lockRun(path);
  await expect(lockRun(path)).rejects.toThrow(`is being written by process ${process.pid} on ${hostname()}`);
  await release();
  await (await lockRun(path))();
  expect(await readdir(join(folder, 'run'))).toEqual([]);
});

test('what a killed process left behind is taken over; another machine’s only after long silence', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, '.lock');
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  await writeFile(path, `${pid} ${hostname()}`);
  await (await lockRun(path))();
  await writeFile(path, '1 elsewhere.example');
  await expect(lockRun(path)).rejects.toThrow(/process 1 on elsewhere\.example.*remove/);
  const longAgo = new Date(Date.now() - 16 * 60_000);
  await utimes(path, longAgo, longAgo);
  await (await lockRun(path))();
  expect(await readdir(folder)).toEqual([]);
});
