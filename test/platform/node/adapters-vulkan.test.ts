import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { driverManifests } from '../../../src/platform/node/vulkan-drivers.js';
import { loadVulkanLoader, withEnvironment } from '../../../src/platform/node/vulkan-loader.js';

describe('driverManifests', () => {
  let root: string;
  const at = (name: string) => join(root, 'share/vulkan/icd.d', name);

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'tailray-drivers-'));
    await mkdir(at('.'), { recursive: true });
    await writeFile(at('b.json'), '{}');
    await writeFile(at('a.json'), '{}');
    await writeFile(at('README'), 'no driver');
    await symlink(at('b.json'), at('c.json'));
  });
  afterAll(() => rm(root, { recursive: true }));

  test('finds every manifest of the data folders once', () => {
    const found = driverManifests({ XDG_DATA_DIRS: join(root, 'share'), HOME: root });
    expect(found.filter((path) => path.startsWith(root))).toEqual([at('a.json'), at('b.json')]);
  });

  test('VK_DRIVER_FILES names files and folders, and hides all others', () => {
    const environment = { VK_DRIVER_FILES: ['/missing.json', at('.')].join(delimiter), XDG_DATA_DIRS: root };
    expect(driverManifests(environment)).toEqual(['/missing.json', at('a.json'), at('b.json')]);
  });

  test('VK_ADD_DRIVER_FILES goes before what is installed', () => {
    const found = driverManifests({ VK_ADD_DRIVER_FILES: at('b.json'), XDG_DATA_DIRS: join(root, 'share') });
    expect(found.filter((path) => path.startsWith(root))).toEqual([at('b.json'), at('a.json')]);
  });
});

test.runIf(process.platform === 'linux')('a loader that is not there is said to be missing', () => {
  expect(loadVulkanLoader('/no/libvulkan.so.1')).toMatch(/cannot open shared object/);
});

describe('withEnvironment', () => {
  test('sets variables for the work only, and one after the other', async () => {
    const seen: (string | undefined)[] = [];
    const look = (value: string) =>
      withEnvironment({ TAILRAY_TEST: value }, async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen.push(process.env.TAILRAY_TEST);
      });
    await Promise.all([look('one'), look('two')]);
    expect(seen).toEqual(['one', 'two']);
    expect(process.env.TAILRAY_TEST).toBeUndefined();
  });

  test('puts the old value back after an error, which does not stop the next', async () => {
    process.env.TAILRAY_TEST = 'before';
    const failing = withEnvironment({ TAILRAY_TEST: 'during' }, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(process.env.TAILRAY_TEST).toBe('before');
    delete process.env.TAILRAY_TEST;
    await expect(withEnvironment({}, async () => 'next')).resolves.toBe('next');
  });
});
