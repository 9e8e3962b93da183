import { describe, expect, test, vi } from 'vitest';
import { candidates } from '../../../src/engine/choose/choose.js';
import { differenceOf, fillRandom, type Placed } from '../../../src/engine/choose/compare-results.js';
import { compileVariants, measureVariants } from '../../../src/engine/choose/measure-variants.js';
import { problemKey } from '../../../src/engine/choose/problem-key.js';
import {
  earlierVariants,
  type TuneRecord,
  type TuneReport,
  Tuner,
  type TuneStore,
} from '../../../src/engine/choose/tune.js';
import { compile } from '../../../src/engine/compile.js';
import {
  type DType,
  elementCount,
  Graph,
  type Op,
  type Tensor,
  type Variant,
} from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { Stopwatch } from '../../../src/engine/run/stopwatch.js';
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
    for (const each of store.records.values()) expect(each.refused).toEqual({});
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
    const node = graph.nodes.find(({ op }) => op.name === 'conv2d')!;
    const problem = problemKey(node);
    const rule = candidates(node, device.traits).fits[0]!.name;
    const tuned = async (ms: TuneRecord['ms']) => {
      store.records.set(problem, { problem, winner: 'direct', ms, refused: {} });
      const known = await compileAndRun({ tuning: new Tuner(device, { store, onDone }) });
      return known.rows.filter(({ by }) => by === 'tuned').map(({ variant }) => variant);
    };
    expect(await tuned({ [rule]: 2, direct: 1 })).toEqual(['direct', 'direct']);
    // Measured where there was no such variant: in an earlier version, or without subgroup matrices.
    expect(await tuned({ direct: 1 })).toEqual([]);
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
    store.records.set(problem, {
      problem,
      winner: 'of a later version',
      ms: { 'of a later version': 0.1 },
      refused: {},
    });
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

/** Doubles x. Beside the rule's variant one that rounds otherwise, and one that is fast because it does a tenth. */
function doubling(wrongAt: 'most' | 'one' | 'nowhere'): Op<undefined> {
  const variant = (name: string, rank: number, body: (elements: number) => string): Variant<undefined> => ({
    name,
    unfit: () => undefined,
    rank: () => rank,
    build: ({ outputs }) => {
      const elements = elementCount(outputs[0]?.shape ?? []);
      return {
        scratch: [],
        steps: [
          {
            kind: 'dispatch',
            workgroups: [64, 1, 1],
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
            ],
            code: `@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = id.x; i < ${elements}u; i += 4096u) { ${body(elements)} }
}`,
          },
        ],
      };
    },
  });
  const wrong = {
    most: () => 'if (i % 10u == 0u) { y[i] = 2.0 * x[i]; }',
    one: (elements: number) => `y[i] = select(2.0, -2.0, i == ${elements - 1}u) * x[i];`,
    nowhere: () => 'y[i] = x[i] + x[i];',
  }[wrongAt];
  return {
    name: `double, wrong at ${wrongAt}`,
    infer: ([x]) => [{ shape: x?.shape ?? [], dtype: 'f32' }],
    flops: ({ outputs }) => elementCount(outputs[0]?.shape ?? []),
    variants: [
      variant('slow', 1, () => 'for (var k = 0u; k < 200u; k++) { y[i] = 2.0 * x[i] + 0.0 * f32(k); }'),
      variant('rounded', 2, () => 'for (var k = 0u; k < 200u; k++) { y[i] = 2.0 * x[i] * (1.0 + 0x1p-22); }'),
      variant('quick', 3, wrong),
    ],
  };
}

describe('a kernel that gives another result', () => {
  test('at most of its values, or at one of them, is left out with a reason, however fast it is', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const x = graph.input('x', [64, 1000]);
    const wrong = (['most', 'one', 'nowhere'] as const).map((wrongAt) => ({
      wrongAt,
      op: doubling(wrongAt),
    }));
    const outputs = wrong.flatMap(({ op }) => graph.apply(op, [x], undefined));
    const store = new MemoryStore();
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const tuning = new Tuner(device, { store, measure: 'always', onWarning });
    const program = await compile(device, { graph, outputs, tuning });
    for (const { wrongAt, op } of wrong) {
      const record = [...store.records.values()].find(({ problem }) => problem.startsWith(op.name));
      if (wrongAt === 'nowhere') {
        expect([record?.winner, record?.refused]).toEqual(['quick', {}]);
        continue;
      }
      expect(record?.winner).not.toBe('quick');
      expect(record?.ms.quick).toBeNull();
      expect(record?.ms.rounded).toBeGreaterThan(0);
      expect(record?.refused).toEqual({
        quick: expect.stringMatching(/^differs from slow by \S+ of the largest/),
      });
      expect(warnings).toContainEqual(
        expect.stringMatching(`^the kernel quick of ${op.name} .* is left out: it differs`),
      );
    }
    expect(warnings).toHaveLength(2);
    program.destroy();
  });

  test('is told apart from one that rounds otherwise, in f32 and in f16', async () => {
    const device = await testDevice();
    const place = async (
      values: Float32Array | Uint32Array,
      dtype: DType,
      length: number,
    ): Promise<Placed> => {
      const buffer = await device.createBuffer('values', values.byteLength);
      device.write(buffer, 0, values);
      return { spec: { shape: [length], dtype }, buffer, offset: 0 };
    };
    const difference = async (dtype: DType, length: number, ...both: (Float32Array | Uint32Array)[]) => {
      const [a, b] = await Promise.all(both.map((values) => place(values, dtype, length)));
      return a && b ? differenceOf(device, a, b) : undefined;
    };
    const [nan, infinite] = [Number.NaN, Number.POSITIVE_INFINITY];
    const floats = (...values: number[]) => Float32Array.from(values);
    expect(await difference('f32', 3, floats(1, 2, -8), floats(1, 2.5, -8))).toEqual({
      largest: 1 / 16,
      unlike: 0,
    });
    expect(await difference('f32', 3, floats(nan, infinite, 1), floats(nan, infinite, 1))).toEqual({
      largest: 0,
      unlike: 0,
    });
    expect(await difference('f32', 4, floats(nan, infinite, 1, 0), floats(1, -infinite, nan, -0))).toEqual({
      largest: 0,
      unlike: 3,
    });
    // 1 and 2, -2 and 4; a third half is infinite, a fourth is beyond the end
    const [halves, others] = [Uint32Array.of(0x4000_3c00, 0xffff_7c00), Uint32Array.of(0x4400_3c00, 0x7c00)];
    expect(await difference('f16', 3, halves, others)).toEqual({ largest: 0.5, unlike: 0 });
    expect(await difference('u32', 2, Uint32Array.of(3, 7), Uint32Array.of(3, 8))).toEqual({
      largest: 0,
      unlike: 1,
    });
  });

  test('is looked for with values that are random, of both signs, and the same each time', async () => {
    const device = await testDevice();
    const buffer = await device.createBuffer('values', 4096 * 4);
    const place = { spec: { shape: [4096], dtype: 'f32' }, buffer, offset: 0 } as const;
    const filled = async (seed: number) => {
      await fillRandom(device, place, seed);
      return [...new Float32Array(await device.read(buffer, 0, 4096 * 4))];
    };
    const [first, second, again] = [await filled(1), await filled(2), await filled(1)];
    expect(again).toEqual(first);
    expect(new Set([...first, ...second]).size).toBeGreaterThan(8180);
    expect(Math.max(...first.map(Math.abs))).toBeLessThanOrEqual(1);
    const mean = first.reduce((sum, value) => sum + value, 0) / 4096;
    const square = first.reduce((sum, value) => sum + value * value, 0) / 4096;
    expect(Math.abs(mean)).toBeLessThan(0.04);
    expect(Math.abs(square - 1 / 3)).toBeLessThan(0.03);
  });
});

test('kernels that were compiled ahead are not compiled again when they are measured', async () => {
  const device = await testDevice();
  const graph = new Graph();
  // of sizes that no other test has, for kernels with their sizes baked in
  const y = conv2d(graph.input('x', [3, 7, 11, 8]), graph.input('w', [3, 3, 8, 8]), { padding: 1 });
  const [node] = y.graph.nodes;
  if (!node) throw new Error('nothing was traced');
  const names = candidates(node, device.traits).fits.map(({ name }) => name);
  await compileVariants(device, node, names);
  const stopwatch = await Stopwatch.create(device);
  const compiled = vi.spyOn(device.gpu, 'createShaderModule');
  expect(await measureVariants(stopwatch, node, names, 2 ** 28)).toBeDefined();
  const labels = compiled.mock.calls.map(([{ label }]) => label);
  expect(labels.filter((label) => label !== 'comparison of kernels')).toEqual([]);
  vi.restoreAllMocks();
  stopwatch.destroy();
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
