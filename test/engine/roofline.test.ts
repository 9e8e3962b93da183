import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { measureResidentGroups } from '../../src/engine/resident-groups.js';
import { measureRoofline, rooflineShare } from '../../src/engine/roofline.js';
import { recordCopy } from '../../src/engine/run/commands.js';
import { Stopwatch } from '../../src/engine/run/stopwatch.js';
import { testDevice } from '../device.js';

describe('measureRoofline', () => {
  test('keeps the best probe of each kind and says what the others gave', async () => {
    const device = await testDevice();
    const roofline = await measureRoofline(device);
    const rates = (kind: string) => roofline.probes.filter((probe) => probe.kind === kind).map((p) => p.rate);
    expect(roofline.gflops).toBe(Math.max(...rates('f32')));
    expect(roofline.gbps).toBe(Math.max(...rates('copy')));
    expect(Math.min(...rates('f32'), ...rates('copy'))).toBeGreaterThan(0);
    expect(roofline.gflopsF16 !== undefined).toBe(device.gpu.features.has('shader-f16'));
    expect(new Set(roofline.probes.map(({ name }) => name)).size).toBe(roofline.probes.length);
    expect(Number.isFinite(roofline.dispatchMs + roofline.submitMs)).toBe(true);
    expect(roofline.residentGroups).toBeGreaterThanOrEqual(1);
  });
});

describe('measureResidentGroups', () => {
  test('counts a workgroup a thread where a processor computes', async () => {
    const device = await testDevice();
    const most = /llvmpipe|SwiftShader/.test(device.description) ? 2 * availableParallelism() : 32768;
    const resident = await measureResidentGroups(device);
    expect(Number.isInteger(resident)).toBe(true);
    expect(resident).toBeGreaterThanOrEqual(1);
    expect(resident).toBeLessThanOrEqual(most);
  });
});

describe('rooflineShare', () => {
  const roofline = { gflops: 100, gbps: 10 };

  test.each([
    // 10 GFLOP in 200 ms are 50 GFLOP/s of 100; its gigabyte would take 100 ms
    [10e9, 1e8, 200, 0.5],
    // the same at a low intensity: 2 GB take 200 ms at least
    [10e9, 2e9, 400, 0.5],
    // no arithmetic at all
    [0, 1e9, 100, 1],
    // at the ridge, 10 FLOP a byte, both bounds agree
    [10e9, 1e9, 100, 1],
  ])('%d flops and %d bytes in %d ms: %d', (flops, bytes, ms, share) => {
    expect(rooflineShare(roofline, { flops, bytes, ms })).toBeCloseTo(share, 10);
  });

  test('is nothing where no time was measured', () => {
    expect(rooflineShare(roofline, { flops: 1, bytes: 1, ms: 0 })).toBe(0);
  });
});

describe('Stopwatch', () => {
  test.each(['timestamps', 'wall'] as const)(
    'with %s: runs what was recorded and times it',
    async (clock) => {
      const device = await testDevice();
      const stopwatch = await Stopwatch.create(device, clock);
      if (device.gpu.features.has('timestamp-query')) expect(stopwatch.clock).toBe(clock);
      const from = await device.createBuffer('from', 16);
      const to = await device.createBuffer('to', 16);
      device.write(from, 0, Float32Array.of(1, 2, 3, 4));
      const ms = await stopwatch.time((encoder) =>
        recordCopy(encoder, { kind: 'copy', from, fromOffset: 0, to, toOffset: 0, bytes: 16 }),
      );
      expect(ms).toBeGreaterThan(0);
      expect([...new Float32Array(await device.read(to, 0, 16))]).toEqual([1, 2, 3, 4]);
      stopwatch.destroy();
    },
  );
});
