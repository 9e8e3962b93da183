import { afterAll, describe, expect, test } from 'vitest';
import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { testDevice } from '../../device.js';

const device = await testDevice();

/** Records x₀ + x₁ and twice that of each run. */
async function recording(recordCapacity: number) {
  const graph = new Graph();
  const x = graph.input('x', [2]);
  const total = sum(x);
  const program = await compile(device, {
    graph,
    records: [total, mul(total, 2)],
    outputs: [total],
    recordCapacity,
  });
  return { program, total, feedsOf: (run: number) => ({ x: Float32Array.of(run, 1000) }) };
}

function rowsOf(first: number, runs: number): number[][] {
  return Array.from({ length: runs }, (_, i) => [first + i + 1000, 2 * (first + i + 1000)]);
}

describe('scalars of runs', () => {
  test('come in order and completely, however many runs there are before any is asked for', async () => {
    const { program, feedsOf } = await recording(100);
    for (let run = 0; run < 40; run++) program.run(feedsOf(run));
    expect(program.recordedRuns).toBe(40);
    expect(await program.history(3)).toEqual(rowsOf(0, 3));
    expect(await program.history(0)).toEqual([]);
    expect(program.recordedRuns).toBe(37);
    for (let run = 40; run < 50; run++) program.run(feedsOf(run));
    expect(await program.history(30)).toEqual(rowsOf(3, 30));
    expect(await program.history()).toEqual(rowsOf(33, 17));
    expect(await program.history()).toEqual([]);
    program.destroy();
  });

  test('pass the end of their ring as often as it takes', async () => {
    const { program, feedsOf } = await recording(5);
    let [run, read] = [0, 0];
    // between no unread run and as many as there is room for
    for (const [ahead, taken] of [
      [5, 1],
      [1, 5],
      [4, 3],
      [4, 2],
      [2, 5],
      [3, 3],
    ] as const) {
      for (let i = 0; i < ahead; i++) program.run(feedsOf(run++));
      expect(await program.history(taken)).toEqual(rowsOf(read, taken));
      read += taken;
    }
    expect(program.recordedRuns).toBe(0);
    program.destroy();
  });

  test('beyond the capacity are refused, and nothing is lost by it', async () => {
    const { program, feedsOf } = await recording(3);
    for (let run = 0; run < 3; run++) program.run(feedsOf(run));
    expect(() => program.run(feedsOf(3))).toThrow(/holds 3 runs/);
    expect(await program.history()).toEqual(rowsOf(0, 3));
    program.run(feedsOf(3));
    expect(await program.history()).toEqual(rowsOf(3, 1));
    program.destroy();
  });

  test('belong to the inputs that were given with the submit, when runs are recorded ahead', async () => {
    const { program, feedsOf } = await recording(10);
    const recorded = [program.record(), program.record(), program.record()];
    for (const [run, each] of recorded.entries()) each.submit(feedsOf(run));
    program.run(feedsOf(3));
    expect(await program.history()).toEqual(rowsOf(0, 4));
    program.destroy();
  });

  test('of a run with inputs that do not fit are none', async () => {
    const { program, feedsOf } = await recording(10);
    expect(() => program.run({ x: new Float32Array(3) })).toThrow(/got 3 values/);
    program.run(feedsOf(0));
    expect(await program.history()).toEqual(rowsOf(0, 1));
    program.destroy();
  });
});

test('a value that is read is the one at the time of the call, whatever runs afterwards', async () => {
  const { program, total, feedsOf } = await recording(100);
  const reads: Promise<Float32Array>[] = [];
  for (let run = 0; run < 20; run++) {
    program.run(feedsOf(run));
    reads.push(program.read(total));
  }
  const values = (await Promise.all(reads)).map(([value]) => value);
  expect(values).toEqual(rowsOf(0, 20).map(([value]) => value));
  program.destroy();
});

afterAll(() => device.idle());
