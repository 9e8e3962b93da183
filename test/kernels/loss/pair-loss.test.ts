import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ArenaLayout, ArenaPlan, createArenas } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { grad } from '../../../src/kernels/common/grad.js';
import type { Reduction } from '../../../src/kernels/loss/loss-attributes.js';
import { pairLoss } from '../../../src/kernels/loss/pair-loss.js';
import { rememberScores, scoreMemoryShape } from '../../../src/kernels/loss/score-memory.js';
import { aucMargin } from '../../../src/losses/auc-margin.js';
import type { BatchLoss, Loss } from '../../../src/losses/define/loss.js';
import { smoothAp } from '../../../src/losses/smooth-ap.js';
import { evaluate, testDevice } from '../../device.js';
import { checkOp, expectClose } from '../check-op.js';

const NAN = Number.NaN;

function bound(loss: Loss, parameters = {}): BatchLoss {
  const result = loss.bind(parameters);
  if (result.kind !== 'batch') throw new TypeError('of whole batches');
  return result;
}

/** A class's cost from the definition, without a thought for overflow; images as (logit, weight as positive, as negative). */
type Cost = (images: { x: number; p: number; n: number }[]) => number;

const AUC: Cost = (images) => {
  let [cost, pairs] = [0, 0];
  for (const i of images)
    for (const j of images) {
      cost += i.p * j.n * Math.max(0, 1 - (i.x - j.x)) ** 2;
      pairs += i.p * j.n;
    }
  return cost / pairs;
};

const AP: Cost = (images) => {
  const above = (j: { x: number }, i: { x: number }) => (i === j ? 1 : 1 / (1 + Math.exp((i.x - j.x) / 0.5)));
  let [precision, positives] = [0, 0];
  for (const i of images) {
    const rank = images.reduce((sum, j) => sum + (j.p + j.n) * above(j, i), 0);
    precision += (i.p * images.reduce((sum, j) => sum + j.p * above(j, i), 0)) / rank || 0;
    positives += i.p;
  }
  return 1 - precision / positives;
};

function defined(cost: Cost, reduction: Reduction, n: number, c: number) {
  return (x: Float64Array, y: Float64Array, w: Float64Array) => {
    let [value, counted] = [0, 0];
    for (let k = 0; k < c; k++) {
      const images = Array.from({ length: n }, (_, i) => ({ x: x[i * c + k]!, y: y[i * c + k]!, w: w[i]! }))
        .filter((image) => !Number.isNaN(image.y))
        .map((image) => ({ x: image.x, p: image.w * image.y, n: image.w * (1 - image.y) }));
      if (!images.some(({ p }) => p > 0) || !images.some((image) => image.n > 0)) continue;
      counted++;
      value += cost(images);
    }
    return value / { mean: counted || 1, sum: 1, batchmean: n }[reduction];
  };
}

describe.each([
  { loss: aucMargin, cost: AUC },
  { loss: smoothAp, cost: AP },
])('$loss.name', ({ loss, cost }) => {
  test.each(['mean', 'sum', 'batchmean'] as const)(
    '%s equals its definition, and its slopes differences of that, on any shape',
    async (reduction) => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 40 }),
          fc.integer({ min: 1, max: 12 }),
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
              build: ([logits, targets, sampleWeights]) =>
                bound(loss).trace({
                  logits: logits!,
                  targets: targets!,
                  sampleWeights,
                  reduction,
                  statistics: {},
                }),
              reference: ([x, y, w]) => Float64Array.of(defined(cost, reduction, n, c)(x!, y!, w!)),
              seed,
            }),
        ),
        {
          numRuns: 3,
          examples: [
            [1, 1, 0],
            [150, 3, 1],
          ],
        },
      );
    },
  );

  test('the float64 twin equals the definition and its derivative', () => {
    const [n, c] = [5, 3];
    const x = Float64Array.from({ length: n * c }, (_, i) => Math.sin(i * 7));
    const y = Float64Array.of(0, 1, NAN, 0, 0, 0, 1, 0.5, 1, NAN, NAN, NAN, 0, 0, 0);
    const w = Float64Array.of(1, 0.5, 2, 1, 0.3);
    for (const reduction of ['mean', 'sum', 'batchmean'] as const) {
      const value = defined(cost, reduction, n, c);
      const twin = bound(loss).reference({
        n,
        classes: c,
        logits: x,
        targets: y,
        sampleWeights: w,
        reduction,
      });
      expect(twin.value).toBeCloseTo(value(x, y, w), 12);
      for (const i of x.keys()) {
        const moved = (step: number) =>
          value(
            x.map((each, k) => (k === i ? each + step : each)),
            y,
            w,
          );
        expect(twin.gradient[i]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 8);
      }
    }
  });

  test('logits far beyond what an exponential can hold give finite numbers', async () => {
    const logits = [1e4, -1e4, 500, -500, 88, -88, 0, 1e-3];
    const targets = [0, 1, 1, 0, 0, 1, 0, 1];
    const batch = { n: 8, classes: 1, logits, targets, reduction: 'mean' as const };
    const expected = bound(loss).reference(batch);
    const [value, gradient] = await run(loss, [8, 1], logits, targets);
    expectClose(value!, [expected.value], 1e-6);
    expectClose(gradient!, expected.gradient, 1e-6);
  });

  test('classes of one kind of label and unknown entries are in nothing; a broken logit is seen in its class', async () => {
    const inf = Number.POSITIVE_INFINITY;
    // class 0 has no negative, class 1 no positive, class 2 both and an unknown one
    const targets = [1, 0, 1, 1, 0, 0, 1, NAN, NAN];
    const [value, gradient] = await run(loss, [3, 3], [1, 2, 0, 0, 1, 1, 5, inf, NAN], targets);
    const alone = await run(loss, [2, 1], [0, 1], [1, 0]);
    expect(value).toEqual(alone[0]);
    expect([...gradient!]).toEqual([0, 0, alone[1]![0], 0, 0, alone[1]![1], 0, 0, 0]);
    expect(alone[1]![0]).toBeLessThan(0);
    for (const broken of [NAN, inf, -inf]) {
      const [seen, slopes] = await run(loss, [2, 2], [0, broken, 2, 3], [1, 0, 0, 1]);
      expect([...seen!]).toEqual([NAN]);
      expect([...slopes!].map(Number.isNaN)).toEqual([false, true, false, true]);
    }
    expect((await run(loss, [1, 1], [3], [1])).map((all) => [...all])).toEqual([[0], [0]]);
  });

  test('with a memory, the batch stands beside the last known scores of each class, which have no gradient', async () => {
    const [n, c, size, steps] = [5, 4, 12, 6];
    const parameters = { memory: size, labelSmoothing: 0.1 };
    const device = await testDevice();
    const graph = new Graph();
    const [logits, targets] = [graph.input('logits', [n, c]), graph.input('targets', [n, c])];
    const memory = graph.variable('loss', 'memory', scoreMemoryShape(size, c));
    const value = bound(loss, parameters).trace({
      logits,
      targets,
      reduction: 'mean',
      statistics: {},
      state: new Map([['memory', memory]]),
    });
    const [slopes] = grad(value, [logits]);
    const spec = { name: 'memory', shape: scoreMemoryShape(size, c), dtype: 'f32' as const };
    const layout = new ArenaLayout([spec], device.traits.maxBindingBytes);
    const arenas = await createArenas(device, { loss: new ArenaPlan('loss', layout) });
    const program = await compile(device, { graph, outputs: [value, slopes!], arenas });
    const random = new Random(3, 'memory');
    const past = Array.from({ length: c }, () => [] as { x: number; y: number }[]);
    for (let step = 0; step < steps; step++) {
      const x = Float32Array.from({ length: n * c }, () => random.normal());
      // class 0 is known now and then
      const y = Float32Array.from({ length: n * c }, (_, i) =>
        random.pick(i % c === 0 ? [NAN, NAN, NAN, NAN, 0, 1] : [0, 0, 1]),
      );
      program.run({ logits: x, targets: y });
      const rows = n + size;
      const [allX, allY] = [new Float64Array(rows * c), new Float64Array(rows * c).fill(NAN)];
      for (let k = 0; k < c; k++) {
        for (const [i, known] of past[k]!.entries()) {
          allX[(n + i) * c + k] = known.x;
          allY[(n + i) * c + k] = known.y;
        }
      }
      allX.set(x);
      allY.set(y);
      const smoothed = allY.map((each) => each * 0.9 + 0.05);
      const twin = { n: rows, classes: c, logits: allX, targets: smoothed, reduction: 'mean' as const };
      const expected = bound(loss, parameters).reference(twin);
      expectClose(await program.read(value), [expected.value], 1e-5, `step ${step}`);
      expectClose(await program.read(slopes!), expected.gradient.subarray(0, n * c), 1e-5, `step ${step}`);
      for (let i = 0; i < n * c; i++) {
        if (!Number.isNaN(y[i]!)) past[i % c]!.push({ x: x[i]!, y: y[i]! });
        past[i % c] = past[i % c]!.slice(-size);
      }
    }
    expect(past.map(({ length }) => length)).toEqual([expect.any(Number), size, size, size]);
    expect(past[0]!.length).toBeLessThan(size);
    program.destroy();
    arenas.loss.destroy();
  });
});

async function run(loss: Loss, shape: [number, number], logits: number[], targets: number[]) {
  return evaluate(
    [logits, targets].map((values) => ({ shape, values: Float32Array.from(values) })),
    ([x, y]) => {
      const total = bound(loss).trace({ logits: x!, targets: y!, reduction: 'mean', statistics: {} });
      return [total, ...grad(total, [x!])];
    },
  );
}

describe('operands that do not fit are refused when traced', () => {
  const attributes = { name: 'pairs', code: '', flops: 1, smoothing: 0, reduction: 'mean' as const };

  test('of the loss', () => {
    const graph = new Graph();
    const x = graph.input('x', [3, 4]);
    expect(() => pairLoss(attributes, graph.input('flat', [12]), x)).toThrow(/logits must be \[N, C\]/);
    expect(() => pairLoss(attributes, x, graph.input('turned', [4, 3]))).toThrow(/targets must be/);
    const weights = graph.input('weights', [4]);
    expect(() => pairLoss(attributes, x, x, { weights })).toThrow(/sample weights must be \[3\]/);
    const memory = graph.input('memory', scoreMemoryShape(2, 5));
    expect(() => pairLoss(attributes, x, x, { memory })).toThrow(/memory must be \[6,4\]/);
  });

  test('of the memory', () => {
    const graph = new Graph();
    const x = graph.input('x', [3, 4]);
    expect(() => rememberScores(graph.input('m', [6, 4]), x, x)).toThrow(/must be a variable/);
    expect(() => rememberScores(graph.variable('loss', 'm', [6, 3]), x, x)).toThrow(/wants a memory/);
  });
});
