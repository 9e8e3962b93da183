import { describe, expect, test } from 'vitest';
import { planProgram } from '../../src/engine/compile.js';
import { Graph } from '../../src/engine/graph/tensor.js';
import { Random } from '../../src/engine/random.js';
import { grad } from '../../src/kernels/common/grad.js';
import { referenceLoss } from '../../src/losses/define/reference-loss.js';
import { traceLoss } from '../../src/losses/define/trace-loss.js';
import { evaluateLoss } from '../../src/losses/evaluate-loss.js';
import { registeredLosses } from '../../src/losses/registry.js';
import { planRows, testDevice } from '../device.js';
import { expectClose } from '../kernels/check-op.js';

const SAMPLES = 2_000;

/** One of each structure: entries by themselves, with a sum over their row, compared with each other. */
const STRUCTURES = ['asl', 'db', 'two-way', 'smooth-ap'];

/** Losses of pairs, whose float64 twin walks all of them. */
const PAIRS = ['smooth-ap', 'auc-margin'];

/** Logits in ±80; rows of zeros, of ones, of unknowns, of a mixture; a long tail; weights, some of them 0. */
function batch(n: number, classes: number) {
  const random = new Random(9, n, classes);
  const rows = [() => 0, () => 1, () => Number.NaN, () => random.pick([0, 0, 1, 0.25, Number.NaN])];
  const logits = Float32Array.from({ length: n * classes }, () =>
    random.pick([80 * (2 * random.uniform() - 1), random.normal(0, 3)]),
  );
  const targets = Float32Array.from({ length: n * classes }, (_, i) =>
    rows[Math.floor(i / classes + 3) % 4]!(),
  );
  const sampleWeights = Float32Array.from({ length: n }, (_, i) => ((i + 1) % 3) / 2);
  const classCounts = Array.from({ length: classes }, (_, c) => Math.floor(SAMPLES / (c + 2) ** 1.5));
  return { n, classes, logits, targets, sampleWeights, classCounts };
}

describe('values and gradients at any size, of every loss', () => {
  for (const loss of registeredLosses()) {
    test.each([
      ...(STRUCTURES.includes(loss.name) ? [[1, 1] as const] : []),
      [1, 4_000] as const,
      [PAIRS.includes(loss.name) ? 400 : 5_000, 1] as const,
      [70, 36] as const,
    ])(`${loss.name} of [%i, %i]`, async (n, classes) => {
      const { classCounts, ...data } = batch(n, classes);
      const parameters = { labelSmoothing: n === 70 ? 0.1 : 0 };
      const moment = { epoch: 3, progress: 0.9 };
      const statistics = { classCounts, samples: SAMPLES };
      const reduction = n === 70 ? 'batchmean' : 'mean';
      const expected = referenceLoss(loss.bind(parameters), { ...data, reduction }, { statistics, moment });
      const { logits, targets, ...rest } = data;
      const result = await evaluateLoss(
        await testDevice(),
        { name: loss.name, ...parameters },
        logits,
        targets,
        { ...rest, ...statistics, ...moment, reduction },
      );
      expect([result.value, ...result.grad].every(Number.isFinite)).toBe(true);
      expectClose([result.value], [expected.value], 1e-5, 'value');
      expectClose(result.grad, expected.gradient, 1e-5, 'gradient');
      for (const [i, y] of targets.entries()) if (Number.isNaN(y)) expect(result.grad[i]).toBe(0);
    });
  }
});

const DISPATCHES: Record<string, number> = { 'two-way': 3, 'smooth-ap': 4, 'auc-margin': 4 };

describe('dispatches', () => {
  const trace = (graph: Graph, name: string, shape: number[]) => {
    const x = graph.input('x', shape);
    const classCounts = Array.from({ length: shape[1]! }, (_, c) => c + 1);
    const loss = traceLoss(name, {}, x, graph.input('y', shape), { classCounts, samples: SAMPLES });
    return [loss, ...grad(loss, [x])];
  };

  test.each(registeredLosses().map(({ name }) => name))('%s: value and gradient of a batch', async (name) => {
    const graph = new Graph();
    const outputs = trace(graph, name, [128, 36]);
    const { actions } = planProgram(await testDevice(), { graph, outputs });
    expect(actions).toHaveLength(1);
    const steps = actions.flatMap((action) => (action.kind === 'kernel' ? action.chosen.kernel.steps : []));
    expect(steps.map(({ kind }) => kind)).toEqual(Array(DISPATCHES[name] ?? 1).fill('dispatch'));
  });

  test.each(STRUCTURES)('%s, compiled', async (name) => {
    const rows = await planRows((graph) => trace(graph, name, [128, 36]));
    expect(rows.map(({ dispatches }) => dispatches)).toEqual([DISPATCHES[name] ?? 1]);
    // of entries: the count of known labels, value and gradient, the sum of the shares
    const many = await planRows((graph) => trace(graph, name, [4096, 36]));
    expect(many.map(({ dispatches }) => dispatches)).toEqual([DISPATCHES[name] ?? 3]);
  });
});
