import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tailray-synth-'));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
  vi.restoreAllMocks();
  vi.resetModules();
  process.exitCode = undefined;
});

/** Runs the command in this process, as `node dist/cli/synth.js ...words` would. */
async function synth(...words: string[]): Promise<{ printed: string; complaint: string; exitCode: number }> {
  let printed = '';
  let complaint = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    complaint += text;
    return true;
  });
  const argv = process.argv;
  process.argv = ['node', 'synth.js', ...words];
  try {
    await import('../../src/cli/synth.js');
  } finally {
    process.argv = argv;
  }
  return { printed, complaint, exitCode: Number(process.exitCode ?? 0) };
}

test('draws a data set and says what it holds and that it is simulated', async () => {
  const out = join(home, 'set');
  const { printed, exitCode } = await synth('--out', out, '--count', '12', '--size', '16', '--ood');
  expect(exitCode).toBe(0);
  expect(printed).toMatch(/Normal +\d+ +\d+ +head/);
  expect(printed).toMatch(/\d+ training and \d+ test images, 2 zero-shot in /);
  expect(printed).toContain('SIMULATED');
  expect((await readdir(join(out, 'images'))).length).toBe(14);
});

test('draws the contact sheet alone', async () => {
  const file = join(home, 'sheet.png');
  const { exitCode } = await synth('--contact-sheet', file, '--seed', '2');
  expect(exitCode).toBe(0);
  expect((await sharp(file).metadata()).format).toBe('png');
  expect(await readdir(home)).toEqual(['sheet.png']);
});

test.each([
  [[], '--out DIR'],
  [['--out', 'x', '--count', 'many'], 'must be a whole number'],
  [['--out', 'x', '--views', 'all'], 'frontal or mixed'],
  [['--out', 'x', '--unknown', '2'], 'unknown'],
])('%j is refused with exit code 2 and a reason', async (words, reason) => {
  const { complaint, exitCode } = await synth(...words);
  expect(exitCode).toBe(2);
  expect(complaint).toContain(reason);
});
