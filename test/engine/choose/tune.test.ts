import { describe, expect, test } from 'vitest';
import { candidates } from '../../../src/engine/choose/choose.js';
import { problemKey } from '../../../src/engine/choose/problem-key.js';
import {
  earlierVariants,
  type TuneRecord,
  type TuneReport,
  Tuner,
  type TuneStore,
} from '../../../src/engine/choose/tune.js';
import { compile } from '../../../src/engine/compile.js';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { conv2d } from '../../../src/kernels/conv/conv.js';
import { relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { testDevice } from '../../device.js';

class MemoryStore implements TuneStore {
  readonly records = new Map<string, TuneRecord>();
  loads = 0;

  async load() {
    this.loads++;
    return new Map(this.records);
  }

  async add(record: TuneRecord) {
    this.records.set(record.problem, record);
  }
}

/**
 * Two convolutions of one shape and one of another, with their gradients. The convolutions' own results are asked for,
 * so that they end without an epilogue.
 */
function traced(): { graph: Graph; outputs: Tensor[] } {
  const graph = new Graph();
  const x = graph.input('x', [2, 9, 9, 8]);
  const weights = ['a', 'b'].map((name) => graph.input(name, [3, 3, 8, 8]));
  const last = graph.input('c', [1, 1, 8, 12]);
  const plain: Tensor[] = [];
  const hidden = weights.reduce((value, weight) => {
    const result = conv2d(value, weight, { padding: 1 });
    plain.push(result);
    return relu(result);
  }, x);
  const y = conv2d(hidden, last);
  return { graph, outputs: [y, ...plain, ...grad(sum(y), [...weights, last])] };
}

async function compileAndRun(options: Omit<Parameters<typeof compile>[1], 'graph' | 'outputs'>) {
  const device = await testDevice();
  const { graph, outputs } = traced();
  const program = await compile(device, { graph, outputs, ...options });
  const random = new Random(1, 'tune');
  program.run(
    Object.fromEntries(
      Array.from(graph.inputs.values(), ({ source, shape }) => [
        source.kind === 'input' ? source.name : '',
        Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
      ]),
    ),
  );
  const values = [];
  for (const output of outputs) values.push(await program.read(output));
  const { rows, kernels } = program;
  program.destroy();
  return { rows, kernels, values };
}

let measured: Promise<MemoryStore> | undefined;

/** A store that holds a record of every problem, measured once a test file. */
async function measuredStore(): Promise<MemoryStore> {
  measured ??= (async () => {
    const store = new MemoryStore();
    await compileAndRun({ tuning: new Tuner(await testDevice(), { store, measure: 'always' }) });
    return store;
  })();
  const copy = new MemoryStore();
  for (const [problem, record] of (await measured).records) copy.records.set(problem, record);
  return copy;
}

describe('problemKey', () => {
  test('is the same for the same op, shapes and attributes, wherever they stand, and differs otherwise', () => {
    const { graph } = traced();
    const keys = graph.nodes.filter(({ op }) => op.name === 'conv2d').map(problemKey);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[0]).not.toBe(keys[2]);
    expect(keys[0]).toMatch(/^conv2d \[2,9,9,8\] \[3,3,8,8\] → \[2,9,9,8\] #[0-9a-f]{16}$/);
    const strided = new Graph();
    const x = strided.input('x', [2, 1, 1, 8]);
    const w = strided.input('w', [1, 1, 8, 8]);
    for (const stride of [1, 2]) conv2d(x, w, { stride });
    const [one, two] = strided.nodes.map(problemKey);
    expect(one).not.toBe(two);
  });
});

describe('a tuner', () => {
  test('measures each distinct problem once, every variant that fits, and remembers', async () => {
    const device = await testDevice();
    const store = new MemoryStore();
    const reports: TuneReport[] = [];
    const progress: number[] = [];
    const tuner = () =>
      new Tuner(device, {
        store,
        measure: 'always',
        onDone: (report) => reports.push(report),
        onProgress: (done) => progress.push(done),
      });
    const first = await compileAndRun({ tuning: tuner() });
    const { graph } = traced();
    const convolution = graph.nodes.find(({ op }) => op.name === 'conv2d')!;
    const record = store.records.get(problemKey(convolution))!;
    const fits = candidates(convolution, device.traits).fits.map(({ name }) => name);
    expect(fits.length).toBeGreaterThan(1);
    expect(Object.keys(record.ms).sort()).toEqual(fits.sort());
    expect(fits).toContain(record.winner);
    expect(record.ms[record.winner]).toBeGreaterThan(0);
    expect(reports[0]).toMatchObject({
      problems: store.records.size,
      measured: store.records.size,
      unknown: 0,
    });
    expect(progress).toEqual(Array.from(store.records, (_, i) => i));
    expect(Object.fromEntries(first.kernels)).toEqual(
      Object.fromEntries(Array.from(store.records.values(), ({ problem, winner }) => [problem, winner])),
    );
    expect(first.rows.every(({ by }) => by === 'tuned' || by === 'only')).toBe(true);

    const again = await compileAndRun({ tuning: tuner() });
    expect(reports[1]).toMatchObject({ measured: 0, unknown: 0, changed: reports[0]!.changed });
    expect(again.kernels).toEqual(first.kernels);
    expect(again.values).toEqual(first.values);
  });

  test('changes results by rounding at most, whichever variant wins', async () => {
    const device = await testDevice();
    const byRule = await compileAndRun({});
    const store = await measuredStore();
    // the slowest instead of the fastest: as far from the rule as a measured choice can be
    for (const record of store.records.values()) {
      const names = Object.keys(record.ms).filter((name) => record.ms[name] !== null);
      const slowest = names.reduce((a, b) => ((record.ms[a] ?? 0) > (record.ms[b] ?? 0) ? a : b));
      store.records.set(record.problem, { ...record, winner: slowest });
    }
    const slow = await compileAndRun({ tuning: new Tuner(device, { store, measure: 'never' }) });
    expect(slow.rows.some(({ variant }, i) => variant !== byRule.rows[i]!.variant)).toBe(true);
    for (const [k, values] of byRule.values.entries()) {
      const scale = Math.max(...values.map(Math.abs));
      values.forEach((value, i) => {
        expect(Math.abs(slow.values[k]![i]! - value) / scale).toBeLessThan(1e-5);
      });
    }
  });

  test('leaves short programs to the rule, and uses what is known for them', async () => {
    const device = await testDevice();
    const store = new MemoryStore();
    const reports: TuneReport[] = [];
    const onDone = (report: TuneReport) => void reports.push(report);
    const { rows } = await compileAndRun({ tuning: new Tuner(device, { store, onDone }), runs: 1000 });
    expect(reports[0]).toMatchObject({ measured: 0, unknown: reports[0]!.problems });
    expect(rows.some(({ by }) => by === 'tuned')).toBe(false);
    const { graph } = traced();
    const problem = problemKey(graph.nodes.find(({ op }) => op.name === 'conv2d')!);
    store.records.set(problem, { problem, winner: 'direct', ms: { direct: 1 } });
    const known = await compileAndRun({ tuning: new Tuner(device, { store, onDone }) });
    expect(known.rows.filter(({ by }) => by === 'tuned').map(({ variant }) => variant)).toEqual([
      'direct',
      'direct',
    ]);
  });

  test('measures a long program within its time', async () => {
    const device = await testDevice();
    const reports: TuneReport[] = [];
    const tuner = new Tuner(device, { onDone: (report) => void reports.push(report) });
    await compileAndRun({ tuning: tuner, runs: 1e9 });
    expect(reports[0]!.measured).toBeGreaterThan(0);
  });

  test('passes over names that mean nothing here, and measures again where a variant is new', async () => {
    const device = await testDevice();
    const store = await measuredStore();
    const { graph } = traced();
    const problem = problemKey(graph.nodes.find(({ op }) => op.name === 'conv2d')!);
    store.records.set(problem, { problem, winner: 'of a later version', ms: { 'of a later version': 0.1 } });
    const { rows } = await compileAndRun({ tuning: new Tuner(device, { store, measure: 'never' }) });
    expect(rows.some(({ op, by }) => op === 'conv2d' && by === 'rule')).toBe(true);
    await compileAndRun({ tuning: new Tuner(device, { store, measure: 'always' }) });
    expect(store.records.get(problem)!.winner).not.toBe('of a later version');
  });

  test('leaves to the rule what does not fit into the scratch memory', async () => {
    const device = await testDevice();
    const reports: TuneReport[] = [];
    const onDone = (report: TuneReport) => void reports.push(report);
    const store = new MemoryStore();
    await compileAndRun({
      tuning: new Tuner(device, { store, measure: 'always', memoryBytes: 100, onDone }),
    });
    expect(reports[0]).toMatchObject({ measured: 0, unknown: reports[0]!.problems });
    expect(store.records.size).toBe(0);
  });
});

describe('earlierVariants', () => {
  test('repeat a program with the same kernels and bits', async () => {
    const device = await testDevice();
    const store = await measuredStore();
    for (const record of store.records.values()) {
      const other = Object.keys(record.ms).find((name) => name !== record.winner && record.ms[name] !== null);
      if (other !== undefined) store.records.set(record.problem, { ...record, winner: other });
    }
    const before = await compileAndRun({ tuning: new Tuner(device, { store, measure: 'never' }) });
    const kept = await compileAndRun({ tuning: earlierVariants(Object.fromEntries(before.kernels)) });
    expect(kept.kernels).toEqual(before.kernels);
    expect(kept.values).toEqual(before.values);
    expect(kept.rows.some(({ by }) => by === 'earlier')).toBe(true);
  });
});
