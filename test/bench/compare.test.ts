import { describe, expect, test } from 'vitest';
import { compare, type OpenHosts } from '../../bench/compare.js';
import type { Tf, TfjsHost } from '../../bench/contenders/tfjs.js';
import type { Entrant } from '../../bench/entrant.js';
import { measurementOf } from '../../bench/measurement.js';
import { peerColumns, tableHead, tableLine } from '../../bench/table.js';
import { tensorOperation } from '../../bench/tensor-operation.js';
import type { Workload } from '../../bench/workload.js';
import { at } from '../../src/engine/graph/tensor.js';
import { matmul } from '../../src/kernels/conv/conv.js';
import { testDevice } from '../device.js';

/** A product of two 8×8 matrices by tailray, and whatever a peer says it is. */
function tinyProduct(peer?: (values: Float32Array) => Partial<Entrant>): Workload {
  const workload = tensorOperation({
    name: 'tiny',
    direction: 'forward',
    shape: '8×8',
    flops: 2 * 8 ** 3,
    operands: [{ shape: [8, 8] }, { shape: [8, 8], fill: 'ones' }],
    results: [{ shape: [8, 8] }],
    tailray: (x) => [matmul(at(x, 0), at(x, 1))],
  });
  if (!peer) return workload;
  let correct: readonly Float32Array[] = [];
  return {
    ...workload,
    entries: {
      tailray: async (host) => {
        const entrant = await workload.entries.tailray(host);
        return {
          ...entrant,
          async results() {
            correct = await entrant.results();
            return correct;
          },
        };
      },
      'tfjs-webgpu': async () => ({
        round: async () => undefined,
        results: async () => correct,
        peakBytes: 7,
        dispose: () => undefined,
        ...peer(correct[0]!),
      }),
    },
  };
}

const surroundings = { roofline: { gflops: 100, gbps: 10 }, adapter: 'a card' };

async function hosts(): Promise<OpenHosts> {
  const tfjs: TfjsHost = { version: '0', tf: {} as Tf };
  return { tailray: { version: '0', device: await testDevice() }, 'tfjs-webgpu': tfjs };
}

describe('a comparison', () => {
  test('times tailray alone where nobody else takes part, as --json promises', async () => {
    const workload = tinyProduct();
    const { timings, costs, failures } = await compare(workload, await hosts(), 5);
    expect(failures).toEqual([]);
    expect(timings.map(({ who }) => who)).toEqual(['tailray']);
    expect(timings[0]!.rounds).toHaveLength(5);
    const measured = measurementOf(workload, costs, timings[0]!, surroundings);
    expect(Object.keys(measured)).toEqual(
      'work who direction shape dtype msMedian msMin msMax rounds gflops gbps rooflineShare peakBytes adapter'.split(
        ' ',
      ),
    );
    expect(measured).toMatchObject({ work: 'tiny', who: 'tailray', direction: 'forward', dtype: 'f32' });
    expect(measured.msMin).toBeLessThanOrEqual(measured.msMedian);
    expect(measured.gflops).toBeCloseTo(1024 / measured.msMedian / 1e6, 9);
    // both operands and the result
    expect(measured.peakBytes).toBeGreaterThanOrEqual(3 * 256);
  });

  test('puts a peer that agrees beside it', async () => {
    const comparison = await compare(
      tinyProduct(() => ({})),
      await hosts(),
      2,
    );
    expect(comparison.timings.map(({ who, peakBytes }) => [who, peakBytes])).toContainEqual([
      'tfjs-webgpu',
      7,
    ]);
    const columns = peerColumns(new Set(['tailray', 'tfjs-webgpu', 'jax-js']), [comparison.workload]);
    expect(columns).toEqual(['tfjs-webgpu']);
    expect(tableHead(columns)).toMatch(/× tfjs-webgpu/);
    expect(tableLine(comparison, columns, surroundings)).toMatch(/^tiny +forward .* \S+ \(\S+–\S+\)$/);
  });

  test('does not time a peer that computes something else, and says so', async () => {
    const wrong = tinyProduct((correct) => ({ results: async () => [correct.map((value) => value * 1.01)] }));
    const comparison = await compare(wrong, await hosts(), 2);
    expect(comparison.failures).toEqual([
      {
        who: 'tfjs-webgpu',
        reason: expect.stringMatching(/^tiny forward: tfjs-webgpu and tailray differ by 1/),
        disagrees: true,
      },
    ]);
    expect(comparison.timings.map(({ who }) => who)).toEqual(['tailray']);
  });

  test('goes on without a peer that cannot do the work, and says why', async () => {
    const broken = tinyProduct(() => ({ round: () => Promise.reject(new Error('no such kernel')) }));
    const comparison = await compare(broken, await hosts(), 2);
    expect(comparison.failures).toEqual([{ who: 'tfjs-webgpu', reason: 'no such kernel', disagrees: false }]);
    expect(tableLine(comparison, ['tfjs-webgpu'], surroundings)).toMatch(/failed$/);
  });
});
