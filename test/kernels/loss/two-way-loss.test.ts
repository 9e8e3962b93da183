import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import type { Reduction } from '../../../src/kernels/loss/loss-attributes.js';
import { twoWayLoss } from '../../../src/kernels/loss/two-way-loss.js';
import { twoWay } from '../../../src/losses/two-way.js';
import { evaluate } from '../../device.js';
import { checkOp } from '../check-op.js';

const attributes = {
  negativeTemperature: 1,
  positiveTemperature: 4,
  smoothing: 0,
  reduction: 'mean' as const,
};
const NAN = Number.NaN;

/** The definition, without a thought for overflow; soft targets and weights as multiplicities. */
function defined(
  x: Float64Array,
  y: Float64Array,
  w: Float64Array,
  n: number,
  c: number,
  reduction: Reduction,
) {
  const entry = (i: number, j: number) => ({ x: x[i * c + j]!, y: y[i * c + j]! });
  const rows = Array.from({ length: n }, (_, i) => ({
    weight: w[i]!,
    line: Array.from({ length: c }, (_, j) => ({ ...entry(i, j), weight: 1 })),
  }));
  const columns = Array.from({ length: c }, (_, j) => ({
    weight: 1,
    line: Array.from({ length: n }, (_, i) => ({ ...entry(i, j), weight: w[i]! })),
  }));
  let value = 0;
  for (const lines of [rows, columns]) {
    let [total, count] = [0, 0];
    for (const { weight, line } of lines) {
      const known = line.filter((each) => !Number.isNaN(each.y));
      const negatives = known.reduce((sum, each) => sum + each.weight * (1 - each.y) * Math.exp(each.x), 0);
      const positives = known.reduce((sum, each) => sum + each.weight * each.y * Math.exp(-each.x / 4), 0);
      if (positives === 0) continue;
      count += weight;
      total += weight * Math.log1p(negatives * positives ** 4);
    }
    value += total / { mean: count || 1, sum: 1, batchmean: n }[reduction];
  }
  return value;
}

describe('two-way loss', () => {
  test.each(['mean', 'sum', 'batchmean'] as const)(
    '%s equals its definition, on any shape',
    async (reduction) => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 30 }),
          fc.integer({ min: 1, max: 30 }),
          fc.nat(1000),
          (n, c, seed) =>
            checkOp({
              shapes: [[n, c], [n, c], [n]],
              differentiable: [true, false, false],
              fill: (random, k) =>
                k === 1
                  ? random.pick([0, 0, 1, 0.25, NAN])
                  : k === 2
                    ? random.pick([0, 0.5, 2])
                    : random.normal(),
              build: ([x, y, weights]) => twoWayLoss({ ...attributes, reduction }, x!, y!, weights),
              reference: ([x, y, w]) => Float64Array.of(defined(x!, y!, w!, n, c, reduction)),
              seed,
            }),
        ),
        {
          numRuns: 3,
          examples: [
            [1, 1, 0],
            [200, 7, 1],
            [3, 300, 2],
          ],
        },
      );
    },
  );

  test('the float64 reference equals the definition and its derivative', () => {
    const [n, c] = [4, 3];
    const x = Float64Array.from({ length: n * c }, (_, i) => Math.sin(i * 7));
    const y = Float64Array.of(0, 1, NAN, 0, 0, 0, 1, 0.5, 1, NAN, NAN, NAN);
    const w = Float64Array.of(1, 0.5, 2, 1);
    const bound = twoWay.bind({});
    if (bound.kind !== 'batch') throw new TypeError('of whole batches');
    for (const reduction of ['mean', 'sum', 'batchmean'] as const) {
      const batch = { n, classes: c, logits: x, targets: y, sampleWeights: w, reduction };
      const { value, gradient } = bound.reference(batch);
      expect(value).toBeCloseTo(defined(x, y, w, n, c, reduction), 12);
      for (const i of x.keys()) {
        const [above, below] = [1e-5, -1e-5].map((step) =>
          defined(
            x.map((each, k) => (k === i ? each + step : each)),
            y,
            w,
            n,
            c,
            reduction,
          ),
        );
        expect(gradient[i]).toBeCloseTo((above! - below!) / 2e-5, 8);
      }
    }
  });

  const run = async (logits: number[], targets: number[]) =>
    evaluate(
      [logits, targets].map((values) => ({ shape: [2, 2], values: Float32Array.from(values) })),
      ([x, y]) => {
        const total = twoWayLoss(attributes, x!, y!);
        return [total, ...grad(total, [x!])];
      },
    );

  test('unknown entries are in no sum, whatever their logit; a broken logit is seen', async () => {
    const [value, gradient] = await run([NAN, 1, 2, Number.POSITIVE_INFINITY], [NAN, 1, 0, NAN]);
    // each line has an entry of one kind only
    expect([...value!, ...gradient!]).toEqual([0, 0, 0, 0, 0]);
    for (const broken of [NAN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const [seen, slopes] = await run([0, broken, 2, 3], [1, 0, 0, 1]);
      expect([...seen!]).toEqual([NAN]);
      expect(slopes![1]).toBeNaN();
    }
  });

  test('operands that do not fit are refused when traced', () => {
    const graph = new Graph();
    const x = graph.input('x', [3, 4]);
    expect(() => twoWayLoss(attributes, graph.input('flat', [12]), x)).toThrow(/logits must be \[N, C\]/);
    expect(() => twoWayLoss(attributes, x, graph.input('turned', [4, 3]))).toThrow(/targets must be/);
    expect(() => twoWayLoss(attributes, x, x, graph.input('weights', [4]))).toThrow(/sample weights must be/);
  });
});
