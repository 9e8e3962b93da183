import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { createTar } from 'nanotar';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AdapterError } from '../../../src/engine/errors.js';
import {
  findSwiftShader,
  type PinnedArchive,
  provideSwiftShader,
} from '../../../src/platform/node/swiftshader.js';
import { cacheFolder } from '../../../src/storage/cache-folder.js';

const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];
const ARCHIVE = brotliCompressSync(createTar(FILES.map((name) => ({ name, data: `the ${name}` }))));
const PIN: PinnedArchive = {
  packageName: 'a-package',
  version: '1.2.3',
  path: 'package/bin/swiftshader.tar.br',
  sha256: createHash('sha256').update(ARCHIVE).digest('hex'),
};

let folder: string;
let cache: string;
const silent = () => {};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-swiftshader-'));
  cache = join(folder, 'cache');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** Puts a program in npm's place that "downloads" this package, and counts its calls in a file. */
async function fakeNpm(entries: { name: string; data: Uint8Array }[]): Promise<void> {
  await writeFile(join(folder, 'package.tgz'), gzipSync(createTar(entries)));
  const script = `
    const { appendFileSync, copyFileSync } = require('node:fs');
    const [verb, spec] = process.argv.slice(2);
    const to = process.argv.find((word) => word.startsWith('--pack-destination=')).split('=')[1];
    appendFileSync(${JSON.stringify(join(folder, 'calls'))}, verb + ' ' + spec + '\\n');
    copyFileSync(${JSON.stringify(join(folder, 'package.tgz'))}, to + '/a-package-1.2.3.tgz');`;
  await installNpm(script);
}

async function installNpm(script: string): Promise<void> {
  await writeFile(join(folder, 'npm-cli.js'), script);
  vi.stubEnv('npm_execpath', join(folder, 'npm-cli.js'));
}

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('provideSwiftShader', () => {
  test('keeps the three files of the package, executable, and nothing else', async () => {
    await fakeNpm([
      { name: 'package/bin/chromium.br', data: new Uint8Array(5000) },
      { name: PIN.path, data: ARCHIVE },
    ]);
    expect(findSwiftShader(PIN, cache)).toBeUndefined();
    const files = await provideSwiftShader(silent, PIN, cache);
    expect(findSwiftShader(PIN, cache)).toEqual(files);
    expect(await readFile(files.loader, 'utf8')).toBe('the libvulkan.so.1');
    expect((await stat(files.loader)).mode & 0o777).toBe(0o755);
    const [kept, ...others] = await readdir(cache);
    expect(others).toEqual([]);
    expect((await readdir(join(cache, kept!))).sort()).toEqual(FILES);
    expect(await readFile(join(folder, 'calls'), 'utf8')).toBe('pack a-package@1.2.3\n');
  });

  test('asks npm once: the second time the files are there', async () => {
    await fakeNpm([{ name: PIN.path, data: ARCHIVE }]);
    const messages: string[] = [];
    const first = await provideSwiftShader((message) => messages.push(message), PIN, cache);
    const second = await provideSwiftShader((message) => messages.push(message), PIN, cache);
    expect(second).toEqual(first);
    expect(messages).toHaveLength(1);
  });

  test('several at once all get the same files and leave nothing behind', async () => {
    await fakeNpm([{ name: PIN.path, data: ARCHIVE }]);
    const all = await Promise.all([1, 2, 3].map(() => provideSwiftShader(silent, PIN, cache)));
    expect(new Set(all.map(({ manifest }) => manifest)).size).toBe(1);
    expect(await readdir(cache)).toHaveLength(1);
    expect(await readFile(all[0]!.manifest, 'utf8')).toBe('the vk_swiftshader_icd.json');
  });

  test('does not use an archive with another digest', async () => {
    const changed = new Uint8Array(ARCHIVE);
    changed[7] = changed[7]! ^ 1;
    await fakeNpm([{ name: PIN.path, data: changed }]);
    const provided = provideSwiftShader(silent, PIN, cache);
    await expect(provided).rejects.toThrow(AdapterError);
    await expect(provided).rejects.toThrow(`expected ${PIN.sha256}`);
    expect(await readdir(cache)).toEqual([]);
  });

  test('says so when the package lacks the archive', async () => {
    await fakeNpm([{ name: 'package/other', data: ARCHIVE }]);
    await expect(provideSwiftShader(silent, PIN, cache)).rejects.toThrow(
      'has no package/bin/swiftshader.tar.br',
    );
  });

  test("passes npm's complaint on when it fails, and what to do", async () => {
    await installNpm("console.error('npm warn old\\nnpm error code ENOTFOUND\\nnpm error'); process.exit(1)");
    await expect(provideSwiftShader(silent, PIN, cache)).rejects.toThrow(/: code ENOTFOUND\. Connect/);
    expect(await readdir(cache)).toEqual([]);
  });

  test('says so when the cache folder cannot be made', async () => {
    await writeFile(cache, 'a file is in the way');
    await expect(provideSwiftShader(silent, PIN, cache)).rejects.toThrow('set TAILRAY_CACHE');
  });
});

test('the cache folder: TAILRAY_CACHE, else XDG_CACHE_HOME, else the home folder', () => {
  expect(cacheFolder({ TAILRAY_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe(join('/b', 'tailray'));
  expect(cacheFolder({})).toMatch(/[\\/]\.cache[\\/]tailray$/);
});
