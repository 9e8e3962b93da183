import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Comparison } from '../../bench/compare.js';
import { measurementOf } from '../../bench/measurement.js';
import { type RunHeader, saveRun, versionsOf } from '../../bench/saved-run.js';
import { SCALING, WORKLOADS } from '../../bench/workloads/all.js';

const header: RunHeader = {
  date: '2026-11-24T12:00:00.000Z',
  adapter: 'llvmpipe: Mesa 25.0.7 (LLVM 15) <&>',
  arguments: ['--work', 'matmul'],
  versions: versionsOf({ 'jax-js': { version: '0.1.25' } }),
  roofline: { gflops: 100, gflopsF16: undefined, gbps: 10, dispatchMs: 0.02, submitMs: 0.05 },
};
const surroundings = { roofline: header.roofline, adapter: header.adapter };

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailray-saved-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function measured(workload: Comparison['workload'], ms: number): Comparison {
  return {
    workload,
    costs: [{ flops: 1e9, bytes: 1e6 }],
    timings: [
      { who: 'tailray', rounds: [ms], peakBytes: 1 },
      { who: 'jax-js', rounds: [10 * ms], peakBytes: null },
    ],
    failures: [],
  };
}

function save(what: 'speed' | 'scaling', comparisons: readonly Comparison[]): string {
  const measurements = comparisons.flatMap(({ workload, costs, timings }) =>
    timings.map((timing) => measurementOf(workload, costs, timing, surroundings)),
  );
  return saveRun(folder, what, header, measurements, comparisons);
}

describe('a kept run', () => {
  test('of the same day stays beside the next one, and grows with its own workloads', () => {
    const [one, two] = [measured(WORKLOADS[0]!, 4), measured(WORKLOADS[1]!, 5)];
    const first = save('speed', [one]);
    expect(save('speed', [one, two])).toBe(first);
    const later = saveRun(folder, 'speed', { ...header, date: '2026-11-24T13:00:00.000Z' }, [], []);
    expect(later).toBe(`${first}-run2`);
    expect(readFileSync(join(first, 'results.jsonl'), 'utf8').trim().split('\n')).toHaveLength(5);
  });

  test('is a folder named after day and adapter, with what was measured a line each', () => {
    const kept = save('speed', [measured(WORKLOADS[0]!, 4)]);
    expect(kept).toBe(join(folder, '2026-11-24-llvmpipe-mesa-25.0.7'));
    const [first, ...rest] = readFileSync(join(kept, 'results.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first.run).toMatchObject({
      adapter: header.adapter,
      versions: { node: process.versions.node, 'jax-js': '0.1.25' },
    });
    expect(rest.map(({ who, msMedian }) => [who, msMedian])).toEqual([
      ['tailray', 4],
      ['jax-js', 40],
    ]);
    const picture = readFileSync(join(kept, 'speedup.svg'), 'utf8');
    expect(picture).toContain(`${WORKLOADS[0]!.name}/forward: 10.0 × jax-js`);
    expect(picture).toContain('&lt;&amp;>');
  });

  test('keeps how a step grows apart from the speed, and draws both directions of growth', () => {
    const kept = save(
      'scaling',
      SCALING.map((workload, i) => measured(workload, 10 * (i + 1))),
    );
    expect(readdirSync(kept).sort()).toEqual(['results.jsonl', 'scaling.svg']);
    const picture = readFileSync(join(kept, 'scaling.svg'), 'utf8');
    expect(picture).toContain('batch, at 64 pixels');
    expect(picture).toContain('128²');
    // four batches and three sizes, the middle one in both
    expect(picture.match(/<circle/g)).toHaveLength(7);
  });
});
