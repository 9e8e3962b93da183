import { describe, expect, test } from 'vitest';
import { Random } from '../../src/engine/random.js';
import { grad } from '../../src/kernels/common/grad.js';
import { checkLoss } from '../../src/losses/check-loss.js';
import { LossError } from '../../src/losses/define/loss-error.js';
import { referenceLoss } from '../../src/losses/define/reference-loss.js';
import { traceLoss } from '../../src/losses/define/trace-loss.js';
import { evaluateLoss } from '../../src/losses/evaluate-loss.js';
import { findLoss } from '../../src/losses/registry.js';
import { planRows, testDevice } from '../device.js';
import { expectClose } from '../kernels/check-op.js';
import { entryLoss } from './entry-loss.js';

interface Part {
  readonly name: string;
  readonly weight?: number;
  readonly [parameter: string]: unknown;
}

/** Class constants, a sum over the row, scheduled numbers, a helper of its own, smoothing: of everything something. */
const ENTRIES: readonly Part[] = [
  { name: 'ral' },
  { name: 'db', weight: 2 },
  { name: 'ldam-drw', reweightFrom: 0.5, beta: 0.99, weight: 0.1 },
  { name: 'focal', labelSmoothing: 0.1 },
  { name: 'ral', gammaNeg: 2 },
];
const MIXED: readonly Part[] = [
  { name: 'ldam-drw', weight: 0.5 },
  { name: 'smooth-ap', weight: 0.25 },
  { name: 'bce' },
  { name: 'two-way' },
  { name: 'auc-margin', labelSmoothing: 0.2, weight: 3 },
];

const STATISTICS = { classCounts: [300, 30, 0, 1000], samples: 1000 };

test('a sum of losses of entries is one: kernel, reference and derivative agree', async () => {
  const loss = entryLoss(findLoss('sum'), { sum: ENTRIES });
  const check = await checkLoss(await testDevice(), loss, { classes: 4, ...STATISTICS });
  for (const [what, worst] of Object.entries(check))
    expect(worst.error, `${what} ${JSON.stringify(worst)}`).toBeLessThan(1e-5);
});

describe.each([
  ['of entries', ENTRIES],
  ['of entries and batches', MIXED],
  ['of batches', MIXED.filter(({ name }) => /smooth-ap|two-way/.test(name))],
] as const)('a sum %s', (_, parts) => {
  const [n, classes] = [9, 4];
  const random = new Random(12);
  const logits = Float32Array.from({ length: n * classes }, () => random.normal(0, 3));
  const targets = Float32Array.from({ length: n * classes }, () => random.pick([0, 0, 1, 0.25, Number.NaN]));
  const sampleWeights = Float32Array.from({ length: n }, (_, i) => (i % 3) / 2);
  const moment = { epoch: 3, progress: 0.9 };
  const given = { n, classes, ...STATISTICS, ...moment, sampleWeights };

  test.each(parts === MIXED ? (['mean', 'batchmean'] as const) : (['mean'] as const))(
    'is the weighted sum of its parts, %s',
    async (reduction) => {
      const batch = { n, classes, logits, targets, sampleWeights, reduction };
      const twinOf = (name: string, parameters: object) =>
        referenceLoss(findLoss(name).bind({ ...parameters }), batch, { statistics: STATISTICS, moment });
      const weighed = parts.map(({ name, weight = 1, ...own }: Part) => ({ weight, ...twinOf(name, own) }));
      const value = weighed.reduce((sum, part) => sum + part.weight * part.value, 0);
      const gradient = Float64Array.from(logits, (_, i) =>
        weighed.reduce((sum, part) => sum + part.weight * part.gradient[i]!, 0),
      );
      const twin = twinOf('sum', { sum: parts });
      expectClose([twin.value], [value], 1e-12);
      expectClose(twin.gradient, gradient, 1e-12);
      const choice = { name: 'sum', sum: parts };
      const result = await evaluateLoss(await testDevice(), choice, logits, targets, { ...given, reduction });
      expectClose([result.value], [value], 1e-5);
      expectClose(result.grad, gradient, 1e-5);
    },
  );
});

test('losses of entries take one dispatch together', async () => {
  const rows = await planRows((graph) => {
    const [x, y] = [graph.input('x', [128, 4]), graph.input('y', [128, 4])];
    const loss = traceLoss('sum', { sum: ENTRIES }, x, y, STATISTICS);
    return [loss, ...grad(loss, [x])];
  });
  expect(rows.map(({ dispatches }) => dispatches)).toEqual([1]);
});

test('what it keeps has names of its own for each part', () => {
  const memory = { name: 'smooth-ap', memory: 8 };
  const bound = findLoss('sum').bind({ sum: [memory, { name: 'bce' }, memory, { name: 'smooth-ap' }] });
  if (bound.kind !== 'batch') throw new TypeError('of whole batches');
  expect(bound.state(3)).toEqual([
    { name: '0.memory', shape: [18, 3] },
    { name: '2.memory', shape: [18, 3] },
  ]);
});

test('what does not fit is named', () => {
  const attempt = (parameters: object) => () => findLoss('sum').bind({ ...parameters });
  expect(attempt({})).toThrow(LossError);
  expect(attempt({ sum: [] })).toThrow(/"sum": sum: /);
  expect(attempt({ sum: [{ name: 'bce', weight: 0 }] })).toThrow(/sum\.0\.weight: /);
  expect(attempt({ sum: [{ name: 'bse' }] })).toThrow(/no loss is named "bse"; there are bce, /);
  expect(attempt({ sum: [{ name: 'sum', sum: [{ name: 'bce' }] }] })).toThrow(/no loss is named "sum"/);
  expect(attempt({ sum: [{ name: 'smooth-ap', temperature: 0 }] })).toThrow(/"smooth-ap": temperature: /);
  expect(attempt({ sum: [{ name: 'db' }, { name: 'bce' }, { name: 'db' }] })).toThrow(/db and db both sum/);
});
