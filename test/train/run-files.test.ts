import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeRun, requireRemovable, runFiles } from '../../src/train/run-files.js';
import { temporaryFolder } from '../data/temporary-folder.js';

/** Paths as training, TensorBoard, `report` and `export` leave them, with a byte each. */
const OWN = [
  'recipe.yaml',
  'metrics.jsonl',
  'summary.json',
  'best.safetensors',
  'best.adapters.safetensors',
  'predictions.csv',
  'report.html',
  'model-card.md',
  'prompts.yaml',
  'texts.safetensors',
  '.dashboard.json',
  'loss.ts',
  'kept/epoch-004.safetensors',
  'kept/epoch-012.safetensors.partial',
  'last/state.json',
  'last/step-40-stage-2/firstMoment.safetensors',
  'last/step-40-stage-2/params.safetensors',
  'tensorboard/events.out.tfevents.1732800000.tailray.7',
];

const FOREIGN = {
  'notes.txt': 'x',
  'kept/best-of-all.safetensors': 'x',
  'last/notes.md': 'x',
  'figures/roc.png': 'x',
  'loss-old.ts': 'x',
};

const run = (others: Record<string, string> = {}) =>
  temporaryFolder({ ...Object.fromEntries(OWN.map((name) => [name, 'x'])), ...others });

test("a run's own files are told from others, and nothing is followed through a link", async () => {
  const other = await temporaryFolder({ 'precious.safetensors': 'x' });
  const path = await run(FOREIGN);
  await symlink(other, join(path, 'linked'));
  await symlink(join(other, 'precious.safetensors'), join(path, 'kept', 'epoch-001.safetensors'));
  const { own, bytes, foreign } = await runFiles(path);
  expect(own.toSorted()).toEqual(OWN.toSorted());
  expect(bytes).toBe(OWN.length);
  expect(foreign.toSorted()).toEqual(
    [
      'figures/',
      'kept/best-of-all.safetensors',
      'kept/epoch-001.safetensors',
      'last/notes.md',
      'linked',
      'loss-old.ts',
      'notes.txt',
    ].toSorted(),
  );
  await removeRun(path);
  expect(await readdir(other)).toEqual(['precious.safetensors']);
  const left = await readdir(path, { recursive: true });
  expect(left.filter((name) => !name.startsWith('linked/')).toSorted()).toEqual(
    [
      'figures',
      'figures/roc.png',
      'kept',
      'kept/best-of-all.safetensors',
      'kept/epoch-001.safetensors',
      'last',
      'last/notes.md',
      'linked',
      'loss-old.ts',
      'notes.txt',
    ].toSorted(),
  );
});

test('a run without other files goes with its folder, a lock that was left behind included', async () => {
  const folder = await temporaryFolder({ 'beside.txt': 'x' });
  const path = join(folder, 'a-run');
  await mkdir(path);
  await writeFile(join(path, 'recipe.yaml'), '{}');
  await writeFile(join(path, 'metrics.jsonl'), '');
  // no process has that number
  await writeFile(join(path, '.lock'), `999999999 ${hostname()}`);
  expect((await removeRun(path)).foreign).toEqual([]);
  expect(await readdir(folder)).toEqual(['beside.txt']);
});

test('what may be no run is refused, and stays', async () => {
  const folder = await temporaryFolder({
    'mine/recipe.yaml': '{}',
    'mine/loss.ts': 'export default 1',
    'half/summary.json': '{}',
    'running/recipe.yaml': '{}',
    'running/metrics.jsonl': '',
    'running/.lock': `${process.pid} ${hostname()}`,
  });
  await symlink(join(folder, 'half'), join(folder, 'link'));
  const why = (name: string) =>
    requireRemovable(join(folder, name)).then(
      () => 'removable',
      ({ message }: Error) => message.replaceAll(folder, ''),
    );
  expect(await why('mine')).toBe(
    '/mine holds only recipe.yaml, loss.ts of a run: it may be no run, and is left alone.',
  );
  expect(await why('half')).toContain('holds only summary.json of a run');
  expect(await why('running')).toBe(
    `/running is being written by process ${process.pid} on ${hostname()}: stop it first.`,
  );
  expect(await why('link')).toContain('is a link');
  expect(await why('gone')).toContain('there is no such folder');
  expect(await why('')).toContain('holds nothing of a run');
  await expect(removeRun(join(folder, 'running'))).rejects.toThrow('stop it first');
  expect(await readdir(join(folder, 'running'))).toHaveLength(3);
});
