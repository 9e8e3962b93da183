import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AdapterError } from '../../../src/engine/errors.js';
import { nodeGpuGlobals } from '../../../src/platform/node/dawn.js';
import { listAdapters } from '../../../src/platform/node/list-adapters.js';
import { openAdapter } from '../../../src/platform/node/open-adapter.js';
import { findSwiftShader } from '../../../src/platform/node/swiftshader.js';

describe('openAdapter', () => {
  test('gives a working adapter and defines the WebGPU constants', async () => {
    const { adapter, report } = await openAdapter();
    expect(report.features).toEqual([...adapter.features].sort());
    expect(report.limits.maxBufferSize).toBe(adapter.limits.maxBufferSize);
    const device = await adapter.requestDevice();
    const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE });
    expect(buffer.size).toBe(16);
    device.destroy();
  });

  test('prefers what listAdapters puts first', async () => {
    const [first] = await listAdapters();
    // what is listed includes what WebGPU does not have yet
    const { report } = await openAdapter('', { experimental: true });
    // without a fetched SwiftShader nothing may be listed as accepted before it is opened
    if (first?.accepted) expect({ ...report, driver: '' }).toEqual({ ...first, driver: '' });
    else expect(report.kind).toBe('swiftshader');
  });

  test('opens every listed adapter by its name and by a part of its description, in one process', async () => {
    for (const listed of (await listAdapters()).filter((report) => report.accepted)) {
      for (const name of [listed.name, ` ${listed.description.slice(0, 8).toUpperCase()} `]) {
        const { report } = await openAdapter(name);
        expect(report.device).toBe(listed.device);
      }
    }
  });

  test('names what it found when nothing fits', async () => {
    const opened = openAdapter('voodoo 3');
    await expect(opened).rejects.toThrow(AdapterError);
    await expect(opened).rejects.toThrow(/No adapter fits "voodoo 3"\. Found: .*tailray devices/);
  });

  test('leaves the environment as it was', async ({ skip }) => {
    skip(!findSwiftShader(), 'no SwiftShader has been fetched');
    const before = { ...process.env };
    await openAdapter('swiftshader');
    expect(process.env).toEqual(before);
  });
});

test('the constants can be had without an adapter, any number of times', async () => {
  await nodeGpuGlobals();
  const usage = GPUBufferUsage;
  await nodeGpuGlobals();
  expect(GPUBufferUsage).toBe(usage);
});

describe.runIf(process.platform === 'linux')('listAdapters', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailray-adapters-'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });

  test('refuses a driver that is not there, and one that cannot be loaded, each with a reason', async () => {
    const missing = join(folder, 'missing_icd.json');
    const broken = join(folder, 'broken_icd.x86_64.json');
    const ICD = { library_path: './no-such-library.so', api_version: '1.3.0' };
    await writeFile(broken, JSON.stringify({ file_format_version: '1.0.0', ICD }));
    vi.stubEnv('VK_DRIVER_FILES', [missing, broken].join(delimiter));
    const [first, second] = (await listAdapters()).filter((report) => !report.accepted);
    expect(first).toEqual({
      accepted: false,
      name: 'missing',
      driver: missing,
      reason: `there is no file ${missing}`,
    });
    expect(second).toMatchObject({ name: 'broken', driver: broken });
    expect(second!.reason).not.toBe('');
  });
});
