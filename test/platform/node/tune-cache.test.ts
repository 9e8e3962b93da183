import { appendFile, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { TuneRecord } from '../../../src/engine/choose/tune.js';
import { TuneCache } from '../../../src/platform/node/tune-cache.js';
import { buildCommands, type Commands, start } from '../../cli/commands.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

const DEVICE = 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)';

function record(problem: string, winner = 'lanes'): TuneRecord {
  return { problem, winner, ms: { lanes: 1.25, direct: 8.5, tile: null }, refused: { tile: 'differs' } };
}

async function cacheIn(folder: string, options: { device?: string; version?: string } = {}) {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  return { cache: new TuneCache({ device: DEVICE, version: '1.0.0', folder, warn, ...options }), warnings };
}

describe('the tune cache', () => {
  test('starts empty and gives back what it was given, the later of two', async () => {
    const folder = join(await temporaryFolder(), 'not', 'there', 'yet');
    const { cache, warnings } = await cacheIn(folder);
    expect(await cache.load()).toEqual(new Map());
    await cache.add(record('a'));
    await cache.add(record('b'));
    await cache.add(record('a', 'direct'));
    const { cache: later } = await cacheIn(folder);
    expect(await later.load()).toEqual(
      new Map([
        ['a', record('a', 'direct')],
        ['b', record('b')],
      ]),
    );
    expect(warnings).toEqual([]);
  });

  test('tells adapters, drivers and versions apart', async () => {
    const folder = await temporaryFolder();
    const { cache } = await cacheIn(folder);
    await cache.add(record('a'));
    for (const other of [{ device: DEVICE.replace('25.0.7', '25.0.8') }, { version: '1.0.1' }]) {
      expect((await (await cacheIn(folder, other)).cache.load()).size).toBe(0);
    }
    expect(await readdir(folder)).toEqual([
      expect.stringMatching(/^llvmpipe-mesa-25-0-7-llvm-15-0-6-[0-9a-f]{8}\.jsonl$/),
    ]);
  });

  test.each([
    ['a cut last line', async (path: string) => truncate(path, (await readFile(path)).length - 20)],
    ['a line that is no JSON', (path: string) => appendFile(path, 'what is this?\n')],
    [
      'a record of another form',
      (path: string) => appendFile(path, '{"problem":"c","winner":"lanes","ms":{}}\n'),
    ],
    ['bytes of something else', (path: string) => appendFile(path, new Uint8Array([0, 255, 10, 254, 128]))],
  ])('passes over %s with a warning, and is whole again after the next record', async (_, damage) => {
    const folder = await temporaryFolder();
    const { cache, warnings } = await cacheIn(folder);
    for (const problem of ['a', 'b']) await cache.add(record(problem));
    await damage(cache.path);
    const known = await cache.load();
    expect(known.get('a')).toEqual(record('a'));
    expect(warnings).toEqual([expect.stringMatching(/lines? (is|are) damaged and passed over/)]);
    await cache.add(record('d'));
    const { cache: later, warnings: none } = await cacheIn(folder);
    expect([...(await later.load()).keys()]).toEqual([...known.keys(), 'd']);
    expect(none).toEqual([]);
    expect(await readdir(folder)).toHaveLength(1);
  });

  test('a record stays whole behind a line that was cut off', async () => {
    const { cache } = await cacheIn(await temporaryFolder());
    await cache.add(record('a'));
    await appendFile(cache.path, '{"problem":"cut o');
    await cache.add(record('b'));
    expect([...(await cache.load()).keys()]).toEqual(['a', 'b']);
  });

  test.each([
    ['a file where the folder should be', (folder: string) => writeFile(folder, '')],
    [
      'a folder where the file should be',
      async (folder: string) => {
        await mkdir((await cacheIn(folder)).cache.path, { recursive: true });
      },
    ],
  ])('goes on without memory, warning once, when there is %s', async (_, spoil) => {
    const folder = join(await temporaryFolder(), 'tuned');
    await spoil(folder);
    const { cache, warnings } = await cacheIn(folder);
    expect((await cache.load()).size).toBe(0);
    await cache.add(record('a'));
    await cache.add(record('b'));
    expect(warnings).toEqual([expect.stringMatching(/can't be (read|written) \(E[A-Z]+\).*TAILRAY_CACHE/)]);
  });
});

describe('processes at once', () => {
  let commands: Commands | undefined;
  afterAll(() => commands?.remove());

  test('lose nothing of each other, whatever was damaged before', async () => {
    commands = await buildCommands();
    const folder = await temporaryFolder();
    const { cache } = await cacheIn(folder);
    await cache.add(record('from before'));
    await appendFile(cache.path, 'damaged\n');
    const module = pathToFileURL(join(commands.dist, 'platform/node/tune-cache.js')).href;
    const [processes, each] = [4, 200];
    const script = `
      const { TuneCache } = await import(${JSON.stringify(module)});
      const cache = new TuneCache(${JSON.stringify({ device: DEVICE, version: '1.0.0', folder })});
      await cache.load();
      for (let i = 0; i < ${each}; i++) {
        const problem = process.argv[1] + '/' + i + ' ' + 'x'.repeat(i * 10);
        await cache.add({ problem, winner: 'lanes', ms: { lanes: 1, direct: 2 }, refused: {} });
      }`;
    const ends = await Promise.all(
      Array.from({ length: processes }, (_, k) => start(['--input-type=module', '-e', script, `p${k}`])),
    );
    expect(ends.map(({ code }) => code)).toEqual(Array(processes).fill(0));
    const { cache: later, warnings } = await cacheIn(folder);
    expect((await later.load()).size).toBe(1 + processes * each);
    expect(warnings).toEqual([]);
    expect(await readdir(folder)).toHaveLength(1);
  });
});
