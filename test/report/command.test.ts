import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../data/temporary-folder.js';
import { writeDataset, writeRun } from './made-up-run.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
  process.exitCode = undefined;
});

/** Runs the command in this process, as `node dist/cli/report.js ...words` would. */
async function command(...words: string[]): Promise<{ printed: string; code: number }> {
  let printed = '';
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed += text;
      return true;
    });
  }
  const argv = process.argv;
  process.argv = ['node', 'report.js', ...words];
  try {
    await import('../../src/cli/report.js');
  } finally {
    process.argv = argv;
  }
  return { printed, code: Number(process.exitCode ?? 0) };
}

test('writes into the run directory and says where', async () => {
  const folder = await temporaryFolder();
  const data = await writeDataset(join(folder, 'data'), { classes: ['a', 'b'], images: 60 });
  const run = await writeRun(join(folder, 'run'), { data });
  const { printed, code } = await command(run, '--resamples', '10', '--no-pictures');
  expect(code).toBe(0);
  expect(printed).toMatch(/^test, all +2 +[█#]+\S* +0\.\d{3} +0\.\d{3}[–-][01]\.\d{3} +0\.\d{3} +0\.\d{3}$/m);
  expect(printed.endsWith(`report     ${run}/report.html\n`)).toBe(true);
  const page = await readFile(join(run, 'report.html'), 'utf8');
  expect(page.slice(0, 15)).toBe('<!doctype html>');
  expect(page.includes('data:image')).toBe(false);
  expect(page.includes('10 draws')).toBe(true);
});

test('several runs: the best first, and a note of what is none', async () => {
  const folder = await temporaryFolder();
  const data = await writeDataset(join(folder, 'data'), { classes: ['a', 'b'], images: 60 });
  const worse = await writeRun(join(folder, 'worse'), { data, skill: 0.2 });
  const better = await writeRun(join(folder, 'better'), { data, skill: 3 });
  const out = join(folder, 'page.html');
  const { printed, code } = await command(worse, data, better, '--out', out, '--details', '0');
  expect(code).toBe(0);
  const [note, , first, second] = printed.split('\n');
  expect(note).toBe(`note: left out, as no run is in ${data}.`);
  expect([first, second].map((line) => /\w+(?= +finished)/.exec(line ?? '')?.[0])).toEqual([
    'better',
    'worse',
  ]);
  expect(await readFile(out, 'utf8')).not.toContain('<article');
});

test('a folder without a run is an error of one line', async () => {
  const folder = await temporaryFolder();
  const { printed, code } = await command(folder);
  expect(printed).toMatch(/^error: .* holds nothing of a run: [^\n]*\n$/);
  expect(code).toBe(2);
});

test('a number of draws that is none is refused', async () => {
  const { printed, code } = await command('somewhere', '--resamples', '0');
  expect(printed).toContain('It must be at least 1.');
  expect(code).toBe(2);
});
