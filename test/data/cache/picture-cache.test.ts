import fs from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { PictureCache, type PictureCacheOptions } from '../../../src/data/cache/picture-cache.js';
import { isAtRest } from '../../../src/data/cache/source-file.js';
import { ImageStore, type ImageStoreOptions } from '../../../src/data/images/image-store.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { numberedPng, picture, png16 } from '../images/pictures.js';
import { temporaryFolder } from '../temporary-folder.js';

const preprocessing = preprocessingSchema.parse({ size: [6, 5] });
const HOUR = 3_600_000;

let images: string;
let folder: string;
let notes: string[];

/** A start of a program: nothing of an earlier one is in memory. */
function start(options: Partial<ImageStoreOptions> = {}, of: Partial<PictureCacheOptions> = {}) {
  const cache = new PictureCache({ folder, onNote: (note) => notes.push(note), ...of });
  return { cache, store: new ImageStore({ root: images, preprocessing, cache, ...options }) };
}

async function read({ store }: { store: ImageStore }, names = ['0.png', '1.png', '2.png']) {
  return Promise.all(names.map((name) => store.prepared(name)));
}

/** What is read without any cache. */
const plain = (options: Partial<ImageStoreOptions> = {}) =>
  new ImageStore({ root: images, preprocessing, ...options });

/** Paths of all files, below the cache's folder. */
async function files(place = ''): Promise<string[]> {
  const found = await readdir(join(folder, 'pictures-v1', place), { recursive: true, withFileTypes: true });
  return found.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
}

beforeEach(async () => {
  const pictures = Object.fromEntries(
    await Promise.all([0, 1, 2].map(async (i) => [`${i}.png`, await numberedPng(i)] as const)),
  );
  images = await temporaryFolder(pictures);
  folder = join(await temporaryFolder(), 'cache');
  notes = [];
  await rest();
});

/** Longer than a clock's tick: only files at rest are known by their stamps. */
const rest = () => new Promise((done) => setTimeout(done, 70));

/** Names of the pictures' files that are opened from here to the end of the test. */
function opened(): string[] {
  const { open } = fs.promises;
  const names: string[] = [];
  fs.promises.open = (path, ...others) => {
    if (String(path).startsWith(images)) names.push(String(path).slice(images.length + 1));
    return open(path, ...others);
  };
  syncBuiltinESMExports();
  onTestFinished(() => {
    fs.promises.open = open;
    syncBuiltinESMExports();
  });
  return names;
}

describe('the second start', () => {
  test('opens no picture, and gets the same bytes', async () => {
    const names = opened();
    const first = await read(start());
    expect(names.toSorted()).toEqual(['0.png', '1.png', '2.png']);
    names.length = 0;
    const second = start();
    expect(await read(second)).toEqual(first);
    expect(names).toEqual([]);
    expect(second.cache.counts).toEqual({ found: 3, added: 0 });
    expect(first).toEqual(await read({ store: plain() }));
    expect(notes).toEqual([]);
  });

  test.each([8, 16] as const)('with %i bits has arrays of the same kind', async (bits) => {
    const options = { preprocessing: { ...preprocessing, bits } };
    const first = await read(start(options));
    expect(await read(start(options))).toEqual(first);
    expect(first[0]).toBeInstanceOf(bits === 8 ? Uint8Array : Uint16Array);
  });

  test('with another preprocessing makes entries of its own', async () => {
    await read(start());
    const other = { preprocessing: { ...preprocessing, window: { kind: 'full' as const } } };
    const changed = start(other);
    expect(await read(changed)).toEqual(await read({ store: plain(other) }));
    expect(changed.cache.counts).toEqual({ found: 0, added: 3 });
    expect(await files('entries')).toHaveLength(6);
    expect(await files('stamps')).toHaveLength(3);
  });
});

describe('a file', () => {
  test('with other content of the same length, and the old time put back, is decoded anew', async () => {
    await read(start());
    const path = join(images, '0.png');
    const { atime, mtime, size } = await stat(path);
    // padded with a chunk that decoders skip, so that no length tells them apart
    const other = await numberedPng(7);
    const fill = Buffer.alloc(size > other.length ? size - other.length : 0);
    await writeFile(path, Buffer.concat([other, fill]).subarray(0, Math.max(size, other.length)));
    await utimes(path, atime, mtime);
    expect((await stat(path)).mtimeMs).toBeCloseTo(mtime.getTime(), 0);
    const [now] = await read(start(), ['0.png']);
    expect(now).toEqual(await plain().prepared('0.png'));
  });

  test('that was touched, copied or moved is read, and found by its content', async () => {
    await read(start());
    const before = (await files('entries')).length;
    await utimes(join(images, '0.png'), new Date(), new Date());
    await copyFile(join(images, '1.png'), join(images, 'copy.png'));
    await rest();
    const names = opened();
    const again = start();
    const [touched, copy] = await read(again, ['0.png', 'copy.png']);
    expect(names.toSorted()).toEqual(['0.png', 'copy.png']);
    expect([touched, copy]).toEqual(await read({ store: plain() }, ['0.png', '1.png']));
    expect(await files('entries')).toHaveLength(before);
    names.length = 0;
    await read(start(), ['0.png', 'copy.png']);
    expect(names).toEqual([]);
  });

  test('is known by its stamp only after a tick of its clock at rest', () => {
    const ns = (ms: number, fraction = 0n) => BigInt(ms) * 1_000_000n + fraction;
    const times = (mtimeNs: bigint, ctimeNs: bigint) => ({ mtimeNs, ctimeNs });
    const fine = times(ns(10_000), ns(10_000, 123n));
    expect([isAtRest(fine, 10_040), isAtRest(fine, 10_100)]).toEqual([false, true]);
    const coarse = times(ns(10_000), ns(10_000));
    expect([isAtRest(coarse, 12_000), isAtRest(coarse, 13_000)]).toEqual([false, true]);
    expect(isAtRest(times(ns(99_000), ns(10_000, 1n)), 20_000)).toBe(false);
  });

  test('that can’t be used leaves nothing, and fails in the same way again', async () => {
    await writeFile(join(images, 'bad.png'), 'text');
    for (let i = 0; i < 2; i++) {
      const { store } = start();
      await expect(store.prepared('bad.png', 7)).rejects.toMatchObject({ kind: 'notAnImage', line: 7 });
      await expect(store.prepared('none.png')).rejects.toMatchObject({ kind: 'missing' });
    }
    expect(await files()).toEqual([]);
  });

  test('that is damaged stays an error for those who take no damaged ones, and keeps its note', async () => {
    const png = await png16(picture(90, 80), 90, 80);
    await writeFile(join(images, 'cut.png'), png.subarray(0, png.length - 4000));
    await rest();
    const lenient = start({ lenient: true });
    const [first] = await read(lenient, ['cut.png']);
    const damage = lenient.store.damageOf('cut.png');
    expect(damage).toMatch(/stops after/);
    await expect(start().store.prepared('cut.png')).rejects.toMatchObject({ kind: 'truncated' });
    const again = start({ lenient: true });
    expect(await read(again, ['cut.png'])).toEqual([first]);
    expect(again.store.damageOf('cut.png')).toBe(damage);
    expect(again.cache.counts.found).toBe(1);
  });
});

describe('the folder', () => {
  test('is the user’s alone, and names nobody', async () => {
    await writeFile(join(images, 'patient-4711.png'), await numberedPng(9));
    await rest();
    await read(start(), ['patient-4711.png']);
    const found = await files();
    expect(found).toHaveLength(2);
    for (const path of found) {
      expect(path).toMatch(/pictures-v1\/(entries|stamps)\/[\da-f]{2}\/[\da-f]{62}$/);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      for (let at = dirname(path); at.startsWith(join(folder, 'pictures-v1')); at = dirname(at)) {
        expect((await stat(at)).mode & 0o777).toBe(0o700);
      }
      expect((await readFile(path)).includes('4711')).toBe(false);
    }
  });

  test('torn, emptied and foreign files are written anew', async () => {
    const first = await read(start());
    const [a = '', b = '', c = ''] = await files('entries');
    await truncate(a, 70);
    await truncate(b, 0);
    await copyFile(c, `${c}.other`);
    await writeFile(c, Buffer.alloc(200));
    for (const stamp of (await files('stamps')).slice(0, 1)) await writeFile(stamp, 'nonsense');
    const repairing = start();
    expect(await read(repairing)).toEqual(first);
    expect(repairing.cache.counts).toEqual({ found: 0, added: 3 });
    const again = start();
    expect(await read(again)).toEqual(first);
    expect(again.cache.counts.found).toBe(3);
  });

  test('full takes no more, says so once, and everything is read all the same', async () => {
    const limited = start({}, { limitBytes: 2 * 8192 });
    for (const name of ['0.png', '1.png', '2.png']) await limited.store.prepared(name);
    expect(await files('entries')).toHaveLength(2);
    expect(notes).toEqual([expect.stringMatching(/not kept in .*pictures-v1: it is full \(16 KiB\)/)]);
    const again = start({}, { limitBytes: 2 * 8192 });
    expect(await read(again)).toEqual(await read({ store: plain() }));
    expect(again.cache.counts.found).toBe(2);
  });

  test('gives up what was used longest ago when a run starts, and nothing of the last day', async () => {
    await read(start());
    const [oldest = '', old = ''] = await files('entries');
    await utimes(oldest, new Date(), new Date(Date.now() - 90 * HOUR));
    await utimes(old, new Date(), new Date(Date.now() - 60 * HOUR));
    // six files of 4 KiB each; one must go so that three quarters are left
    await start({}, { limitBytes: 28_000 }).cache.use();
    expect(await files()).not.toContain(oldest);
    expect(await files()).toContain(old);
    await start({}, { limitBytes: 4096 }).cache.use();
    // what is left was used today
    expect(await files()).toHaveLength(4);
  });

  test('notes that an entry is in use', async () => {
    await read(start());
    const past = new Date(Date.now() - 90 * HOUR);
    for (const path of await files()) await utimes(path, past, past);
    await read(start());
    for (const path of await files()) expect(Date.now() - (await stat(path)).mtimeMs).toBeLessThan(HOUR);
  });

  test('loses what killed writers left, but not what is being written', async () => {
    await start().cache.use();
    const partial = join(folder, 'pictures-v1', 'partial');
    await writeFile(join(partial, 'left'), 'x');
    await utimes(join(partial, 'left'), new Date(), new Date(Date.now() - 2 * HOUR));
    await writeFile(join(partial, 'fresh'), 'x');
    await start().cache.use();
    expect(await readdir(partial)).toEqual(['fresh']);
  });

  test('that can’t be made or written is noted once; reading goes on', async () => {
    await writeFile(folder, 'a file');
    expect(await read(start())).toEqual(await read({ store: plain() }));
    expect(notes).toEqual([expect.stringMatching(/not kept in .*: .*\((ENOTDIR|EEXIST)\)\. See --cache\./)]);
    await rm(folder);
    notes = [];
    const partial = join(folder, 'pictures-v1', 'partial');
    const { store, cache } = start();
    await cache.use();
    await rm(partial, { recursive: true });
    await writeFile(partial, 'a file');
    expect(await read({ store })).toEqual(await read({ store: plain() }));
    expect(notes).toEqual([expect.stringMatching(/a part of the path is a file \(ENOTDIR\)/)]);
    expect(await cache.use()).toMatchObject({ mayWrite: false });
  });

  test('of another user is not used', async () => {
    // only root can make one that belongs to somebody else
    if (process.getuid?.() !== 0) return;
    await mkdir(join(folder, 'pictures-v1'), { recursive: true });
    await fs.promises.chown(join(folder, 'pictures-v1'), 12345, 12345);
    expect(await read(start())).toEqual(await read({ store: plain() }));
    expect(notes).toEqual([expect.stringMatching(/belongs to another user/)]);
    expect(await readdir(join(folder, 'pictures-v1'))).toEqual([]);
  });
});
