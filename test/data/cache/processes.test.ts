import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { unpackEntry } from '../../../src/data/cache/entry.js';
import { PictureCache } from '../../../src/data/cache/picture-cache.js';
import { ImageStore } from '../../../src/data/images/image-store.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { numberedPng } from '../images/pictures.js';
import { temporaryFolder } from '../temporary-folder.js';

/** A cache folder in the hands of several processes, some of which are killed. */

const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-register.mjs');
const program = fileURLToPath(new URL('fill-cache.ts', import.meta.url));

interface Filled {
  readonly found: number;
  readonly added: number;
  readonly threads: number;
}

/** @param onBegin is given the process once it has begun to work */
function fill(words: readonly string[], threads: number, onBegin?: (child: ChildProcess) => void) {
  const child = spawn(process.execPath, ['--import', pathToFileURL(jiti).href, program, ...words], {
    env: { ...process.env, TAILRAY_THREADS: String(threads) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (printed === '') onBegin?.(child);
    printed += chunk.toString();
  });
  return new Promise<Filled | null>((done) => {
    child.on('close', () => done(printed.includes('{') ? JSON.parse(printed.split('\n')[1] ?? '') : null));
  });
}

async function entries(folder: string) {
  const found = await readdir(join(folder, 'pictures-v1/entries'), { recursive: true, withFileTypes: true });
  return found.filter((each) => each.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

test('writers of several processes and threads, and kills at any moment, leave whole entries only', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `${i}.png`);
  const pictures = await Promise.all(names.map(async (name, i) => [name, await numberedPng(i)] as const));
  const root = await temporaryFolder(Object.fromEntries(pictures));
  const folder = await temporaryFolder();
  // two at once, of which one is killed soon, and the other when it is in the midst of writing
  const killed = [20, 150].map((ms) =>
    fill([root, folder, '100000', ...names], 0, (child) => setTimeout(() => child.kill('SIGKILL'), ms)),
  );
  expect(await Promise.all(killed)).toEqual([null, null]);
  const last = await Promise.all([0, 2].map((threads) => fill([root, folder, '3', ...names], threads)));
  for (const each of last) expect((each?.found ?? 0) + (each?.added ?? 0)).toBe(3 * 12);
  expect(last.map((each) => each?.threads)).toEqual([0, 2]);
  const paths = await entries(folder);
  expect(paths.length).toBeGreaterThanOrEqual(3 * 12);
  const whole = await Promise.all(
    paths.map(async (path) => {
      const bytes = Uint8Array.from(await readFile(path));
      const width = new Uint32Array(bytes.buffer)[5] ?? 0;
      const name = path.split('/').slice(-2).join('');
      return unpackEntry(bytes, name, preprocessingSchema.parse({ size: [60, width] }));
    }),
  );
  expect(whole.filter((each) => each === null)).toEqual([]);
  // all have the bytes that are read without a cache
  const preprocessing = preprocessingSchema.parse({ size: [60, 50] });
  const plain = new ImageStore({ root, preprocessing });
  const cache = new PictureCache({ folder });
  const cached = new ImageStore({ root, preprocessing, cache });
  for (const name of names) {
    expect(await cached.prepared(name)).toEqual(await plain.prepared(name));
  }
  expect(cache.counts).toEqual({ found: 12, added: 0 });
});
