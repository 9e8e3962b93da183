import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { PictureJob } from '../../../src/data/cache/cached-picture.js';
import { decodeMemory, decodeMemoryBytes } from '../../../src/data/images/decode-memory.js';
import { ImageError } from '../../../src/data/images/image-error.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { PicturePool } from '../../../src/data/threads/picture-pool.js';
import { dicomFiles, refusedDicomFiles } from '../images/dicom/dicom-files.js';
import { numberedPng } from '../images/pictures.js';
import { temporaryFolder } from '../temporary-folder.js';

const preprocessing = preprocessingSchema.parse({ size: [6, 5] });
const job = (root: string, image: string): PictureJob => ({
  root,
  image,
  preprocessing,
  decoding: {},
  cache: null,
});

describe('two threads', () => {
  const pool = new PicturePool(2);
  afterAll(() => pool.close());

  test('give the bytes that the main thread gives, whatever comes first', async () => {
    const names = Array.from({ length: 9 }, (_, i) => `${i}.png`);
    const pictures = await Promise.all(names.map(async (name, i) => [name, await numberedPng(i)] as const));
    const root = await temporaryFolder(Object.fromEntries(pictures));
    const read = (from: PicturePool) => Promise.all(names.map((name) => from.picture(job(root, name))));
    expect(await read(pool)).toEqual(await read(new PicturePool(0)));
  });

  test('read DICOM of every kind, whose codecs are threads of their own, and refuse it, as the main thread does', async () => {
    const files = [...dicomFiles, ...refusedDicomFiles].map(({ file }, i) => [`${i}.dcm`, file] as const);
    const root = await temporaryFolder(Object.fromEntries(files));
    const read = (from: PicturePool) =>
      Promise.allSettled(files.map(([name]) => from.picture(job(root, name))));
    const [there, here] = [await read(pool), await read(new PicturePool(0))];
    expect(there).toEqual(here);
    expect(there.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(60);
  });

  test('pass errors on whole', async () => {
    const root = await temporaryFolder({ 'a.png': 'text' });
    const [there, here] = await Promise.all(
      [pool, new PicturePool(0)].map((each) =>
        each.picture(job(root, 'a.png')).catch((thrown: unknown) => thrown as ImageError),
      ),
    );
    expect(there).toBeInstanceOf(ImageError);
    for (const key of ['kind', 'path', 'reason', 'message', 'line'] as const) {
      expect((there as ImageError)[key]).toEqual((here as ImageError)[key]);
    }
    await expect(pool.sweep(join(root, 'a.png', 'b'), 1)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  test('borrow their memory from the process, and give it back', async () => {
    const root = await temporaryFolder({ 'a.png': await numberedPng(1) });
    let done = false;
    const reading = decodeMemory.during(decodeMemoryBytes, async () => {
      const picture = pool.picture(job(root, 'a.png')).then(() => {
        done = true;
      });
      await new Promise((passed) => setTimeout(passed, 100));
      expect(done).toBe(false);
      return () => picture;
    });
    await (await reading)();
    expect(done).toBe(true);
    await decodeMemory.during(decodeMemoryBytes, async () => {});
  });
});

describe('a pool', () => {
  /** Threads that answer with the name of the picture as its damage; `die` and `throw` end them. */
  const program = `
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', ({ job: { image } }) => {
      if (image === 'die') process.exit(3);
      if (image === 'throw') throw new Error('out of memory');
      const grey = new Uint8Array(1);
      setTimeout(() => parentPort.postMessage({ kind: 'picture', made: { grey, damage: image } }), 20);
    });`;
  let started = 0;
  const pool = new PicturePool(2, () => {
    started++;
    return new Worker(program, { eval: true });
  });
  beforeAll(() => {
    started = 0;
  });
  afterAll(() => pool.close());

  test('loses a picture with the thread that dies of it, and goes on', async () => {
    const names = ['a', 'die', 'b', 'throw', 'c', 'd'];
    const results = await Promise.allSettled(names.map((name) => pool.picture(job('', name))));
    const outcome = results.map((result) =>
      result.status === 'fulfilled' ? result.value.damage : (result.reason as ImageError).reason,
    );
    expect(outcome).toEqual([
      'a',
      'decoding it ended the thread that did it (exit code 3).',
      'b',
      'decoding it ended the thread that did it (out of memory).',
      'c',
      'd',
    ]);
    expect(results.map((result) => result.status === 'rejected' && result.reason)[1]).toMatchObject({
      name: 'ImageError',
      kind: 'unreadable',
      path: 'die',
    });
  });

  test('starts as many threads as it may have, and no more than there is work', async () => {
    const before = started;
    expect(before).toBeLessThanOrEqual(4);
    for (const name of ['a', 'b', 'c']) await pool.picture(job('', name));
    expect(started).toBe(before);
    const one = new PicturePool(8, () => new Worker(program, { eval: true }));
    await one.picture(job('', 'a'));
    await one.close();
  });

  test('has as many threads as TAILRAY_THREADS says, and says what is wrong with that', () => {
    const before = process.env.TAILRAY_THREADS;
    onTestFinished(() => {
      process.env.TAILRAY_THREADS = before;
    });
    process.env.TAILRAY_THREADS = '3';
    expect(new PicturePool().threads).toBe(3);
    process.env.TAILRAY_THREADS = '';
    expect(new PicturePool().threads).toBeGreaterThan(0);
    process.env.TAILRAY_THREADS = 'many';
    expect(() => new PicturePool().threads).toThrow(/TAILRAY_THREADS is "many": give the number of threads/);
  });
});
