import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands } from './commands.js';

let commands: Commands;
let folder: string;
let words: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-cli-compare-'));
  const data = await writeTinyDataset(join(folder, 'data'));
  await writeFile(join(folder, 'base.yaml'), TINY_RECIPE.replace('epochs: 3', 'epochs: 1'));
  await writeFile(join(folder, 'two.yaml'), 'base: base.yaml\nseeds: 2\nlosses: [bce, asl]\n');
  words = [join(folder, 'two.yaml'), '--out', join(folder, 'out'), '--set', `data.path=${data}`];
  commands = await buildCommands();
});

afterAll(async () => {
  await commands.remove();
  await rm(folder, { recursive: true, force: true });
});

const compare = (...more: string[]) => commands.run('compare', [...words, ...more]);
const summaryTime = async (name: string) =>
  (await stat(join(folder, 'out', 'runs', name, 'summary.json'))).mtimeMs;

test('two shards train every run once; the last one to finish writes the comparison', async () => {
  const first = await compare('--shard', '0/2');
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout).toMatch(/2 of 4 runs are not finished yet/);
  const before = await summaryTime('bce-s0');

  const partial = await compare('--report');
  expect(partial.stdout).toMatch(/Not finished, and so not in the table: asl-s0, asl-s1/);

  const second = await compare('--shard', '1/2');
  expect(second.code, second.stderr).toBe(0);
  expect(second.stdout).toMatch(/no variant is better than bce|better than bce:/);
  expect(second.stdout).toMatch(/\| asl +\| +2 \|/);
  const result = JSON.parse(await readFile(join(folder, 'out', 'compare.json'), 'utf8'));
  expect(result.variants.map(({ name }: { name: string }) => name)).toEqual(['bce', 'asl']);
  expect(result.missing).toEqual([]);
  expect(await readFile(join(folder, 'out', 'compare.svg'), 'utf8')).toMatch(/^<svg/);

  const again = await compare();
  expect(again.code, again.stderr).toBe(0);
  expect(again.stdout.match(/finished already/g)).toHaveLength(4);
  expect(await summaryTime('bce-s0')).toBe(before);
}, 120_000);

test('runs of other settings in its folder are not touched', async () => {
  const { code, stderr } = await compare('--set', 'optimizer.lr=0.5');
  expect(code).toBe(2);
  expect(stderr).toMatch(/bce-s0 holds a run of other settings: optimizer\.lr: 0\.01 → 0\.5/);
}, 60_000);

test('a variant that fails is named and keeps no other from its turn', async () => {
  const file = join(folder, 'one-fails.yaml');
  const variants = 'variants: {wild: {batchSize: 64}, tame: {}}';
  await writeFile(file, `base: base.yaml\nseeds: 1\n${variants}\n`);
  const out = join(folder, 'one-fails');
  const { code, stdout, stderr } = await commands.run('compare', [file, '--out', out, ...words.slice(3)]);
  expect(code, stderr).toBe(2);
  expect(stderr).toMatch(/not done {3}wild-s0: .*don't fill one batch of 64/);
  expect(stdout).toMatch(/1 of 2 runs are not finished yet/);
}, 60_000);

test('--shard out of range is refused', async () => {
  const { code, stderr } = await compare('--shard', '2/2');
  expect(code).toBe(2);
  expect(stderr).toMatch(/0 ≤ i < n/);
});
