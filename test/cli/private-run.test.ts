import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readmeLoss } from '../losses/readme-loss.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands, type Finished } from './commands.js';

/**
 * What a run leaves is passed on: to colleagues, to a hub. So a whole run is made of data that say more than they should
 * (patients in two parts, identifiers that a spreadsheet rounded, class names with control characters, a picture that is
 * missing), and everything that was written is searched.
 */
let commands: Commands;
let top: string;
beforeAll(async () => {
  commands = await buildCommands();
  top = await realpath(await mkdtemp(join(tmpdir(), 'tailray-private-')));
});
afterAll(async () => {
  await commands.remove();
  await rm(top, { recursive: true, force: true });
});

/** Of one patient, as the tables write them. */
const PATIENT = /MRN-\d|7\.25E\+31/;

/** A project folder with data of which patient 0 is in training and in test. */
async function project(folder: string): Promise<string> {
  const data = await writeTinyDataset(join(folder, 'data'));
  const table = await readFile(join(data, 'train.csv'), 'utf8');
  const [, ...rows] = table
    .replace(/,p(\d+),/g, (_, n) => (n === '3' ? ',7.25E+31,' : `,MRN-${n},`))
    .trimEnd()
    .split('\n');
  const header = 'ImageID,PatientID,"=\u202ethgirb","\x1b[2Jstriped"';
  await writeFile(join(data, 'train.csv'), `${[header, ...rows.slice(0, 18)].join('\n')}\n`);
  const test = [...rows.slice(18), 'missing.png,MRN-0,1,0'];
  await writeFile(join(data, 'test.csv'), `${[header, ...test].join('\n')}\n`);
  await writeFile(join(folder, 'my-loss.ts'), await readmeLoss());
  await writeFile(join(folder, 'tiny.yaml'), TINY_RECIPE.replace('epochs: 3', 'epochs: 2'));
  return folder;
}

test('nothing of a run names a folder of the machine or a patient, and it is read where it was moved to', async () => {
  const cwd = await project(join(top, 'here'));
  const home = join(top, 'home');
  await mkdir(home);
  const printed: Finished[] = [];
  const run = async (from: string, name: string, ...words: string[]) => {
    const finished = await commands.run(name, words, {
      cwd: from,
      env: { HOME: home, TAILRAY_CACHE: join(home, 'cache') },
    });
    expect(finished.code, finished.stderr).toBe(0);
    printed.push(finished);
    return finished;
  };
  const request = ['--recipe', 'tiny.yaml', '--data', 'data', '--images', join(cwd, 'data'), '--no-tune'];
  await run(cwd, 'train', ...request, '--out', 'runs/first', '--set', 'schedule.epochs=1');
  const given = [...request, '--weights', 'runs/first/best.safetensors', '--loss', './my-loss.ts'];
  await run(cwd, 'train', ...given, '--out', 'runs/stopped', '--stop-after', '3');
  await run(cwd, 'train', ...given, '--out', 'runs/whole');
  await run(cwd, 'evaluate', 'runs/whole', '--resamples', '20', '--json', 'runs/whole/evaluation.json');
  await run(cwd, 'predict', 'runs/whole/best.safetensors', 'data', '--out', 'runs/whole/more.csv');
  await run(cwd, 'report', 'runs/whole');
  await run(cwd, 'report', join(cwd, 'runs/stopped'));
  await run(cwd, 'export', 'runs/whole', '--onnx', 'runs/whole/model.onnx', '--force');
  await run(cwd, 'inspect', join(cwd, 'data'), '--html', 'runs/whole/inspection.html');
  await run(cwd, 'inspect', 'data', '--json');

  const files = await filesOf(join(cwd, 'runs'));
  expect(files.size).toBeGreaterThan(20);
  for (const [file, text] of files) {
    for (const place of [cwd, home, top]) expect(text.includes(place), `${file} names ${place}`).toBe(false);
    expect(PATIENT.exec(text)?.[0], `${file} names a patient`).toBeUndefined();
    if (/\.(html|md|svg)$/.test(file)) expect(text, file).not.toMatch(HIDDEN);
  }
  for (const { stdout, stderr } of printed) {
    expect(stdout + stderr).not.toMatch(PATIENT);
    expect(stdout).not.toMatch(HIDDEN);
  }
  const named = await run(cwd, 'inspect', 'data', '--show-ids', '--no-pictures');
  expect(named.stdout).toMatch(/where: patients MRN-0/);

  // runs and data move together; the loss that the recipe names, too
  const there = join(top, 'there');
  await rename(cwd, there);
  await mkdir(cwd);
  const before = await readFile(join(there, 'runs/whole/best.safetensors'));
  await run(cwd, 'train', '--resume', '--no-tune', '--out', join(there, 'runs/stopped'));
  expect(await readFile(join(there, 'runs/stopped/best.safetensors'))).toEqual(before);
  await run(cwd, 'train', '--no-tune', '--recipe', join(there, 'runs/whole/recipe.yaml'), '--out', 'again');
  expect(await readFile(join(cwd, 'again/best.safetensors'))).toEqual(before);
  await run(there, 'evaluate', 'runs/whole', '--resamples', '20');
}, 600_000);

/** Control characters but for line breaks and tabs, and those that turn the direction of reading. */
const HIDDEN = /(?![\n\t])\p{Cc}|\p{Bidi_Control}/u;

/** By path: every file below, also those that are no text, whose metadata are. */
async function filesOf(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    if ((await stat(path)).isFile()) files.set(name, await readFile(path, 'utf8'));
  }
  return files;
}
