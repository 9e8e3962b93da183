import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import type { PlanRow, RowCommand } from '../../../src/engine/run/build.js';
import { cutWhere, type Expectation, SubmitPieces } from '../../../src/engine/run/submit-pieces.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { conv2d } from '../../../src/kernels/conv/conv.js';
import { relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { testDevice } from '../../device.js';

const device = await testDevice();

describe('cutting', () => {
  test('fills each piece as far as it may, in order', () => {
    const identity = (size: number) => size;
    expect(cutWhere([3, 2, 4, 1, 9, 1, 1], identity, 5)).toEqual([[3, 2], [4, 1], [9], [1, 1]]);
    expect(cutWhere([1, 1], identity, 5)).toEqual([[1, 1]]);
    expect(cutWhere([], identity, 5)).toEqual([[]]);
  });
});

describe('the pieces of a program', () => {
  /** Two rows of two commands each, with work for 800 and 200 ms on a weak GPU of 100 GFLOP/s. */
  const rows = [80e9, 20e9].map((flops): PlanRow => ({ ...NO_WORK, flops }));
  const commands = [0, 0, 1, 1].map((row): RowCommand => ({ row, command: { kind: 'texture', copies: [] } }));
  const sizes = ({ pieces }: SubmitPieces) => pieces.map((piece) => piece.length);

  test('are cut by what is expected of a weak GPU, then by the shortest time of three runs', () => {
    const pieces = new SubmitPieces({ commands, rows }, 'measured');
    // 400 | 400, 100 | 100
    expect(sizes(pieces)).toEqual([1, 2, 1]);
    expect(pieces.wantsTime).toBe(true);
    pieces.took(3000);
    // 1200 | 1200 | 300 | 300
    expect(sizes(pieces)).toEqual([1, 1, 1, 1]);
    pieces.took(600);
    // 240, 240 | 60, 60
    expect(sizes(pieces)).toEqual([2, 2]);
    pieces.took(2000);
    expect(sizes(pieces)).toEqual([2, 2]);
    expect(pieces.wantsTime).toBe(false);
  });

  test('are one where nothing is expected, or little; then no time is asked for', () => {
    const none = new SubmitPieces({ commands, rows }, 'none');
    const short = rows.map((row) => ({ ...row, flops: row.flops / 10 }));
    const one = new SubmitPieces({ commands, rows: short }, 'measured');
    for (const pieces of [none, one]) expect([sizes(pieces), pieces.wantsTime]).toEqual([[4], false]);
  });
});

const NO_WORK: PlanRow = {
  label: '',
  op: '',
  shape: '',
  variant: '',
  by: 'only',
  dispatches: 2,
  flops: 0,
  bytes: 0,
};

describe('a program in pieces', () => {
  afterEach(() => vi.restoreAllMocks());

  async function run(expectation?: Expectation) {
    const graph = new Graph();
    const x = graph.input('x', [2, 9, 9, 8]);
    const weight = graph.input('w', [3, 3, 8, 8]);
    const y = sum(relu(conv2d(relu(conv2d(x, weight, { padding: 1 })), weight, { padding: 1 })));
    const outputs = [y, ...grad(y, [weight, x])];
    const program = await compile(device, { graph, outputs, records: [y], expectation });
    const submit = vi.spyOn(device.gpu.queue, 'submit');
    const feeds = {
      x: Float32Array.from({ length: 1296 }, (_, i) => Math.sin(i)),
      w: Float32Array.from({ length: 576 }, (_, i) => Math.cos(i)),
    };
    program.run(feeds);
    program.run({ x: feeds.x.map((value) => -value) });
    const submits = submit.mock.calls.length;
    vi.restoreAllMocks();
    const values: unknown[] = [await program.history()];
    for (const output of outputs) values.push(await program.read(output));
    const commands = program.rows.reduce((sum, { dispatches }) => sum + dispatches, 0);
    program.destroy();
    return { values, submits, commands };
  }

  test('makes as many submits and gives the same bits', async () => {
    const whole = await run(() => 0);
    expect(whole.submits).toBe(2);
    const halves = await run(() => 90);
    expect(halves.submits).toBeGreaterThan(2);
    const singly = await run(() => 1e6);
    expect(singly.submits).toBeGreaterThanOrEqual(2 * singly.commands);
    expect(halves.values).toEqual(whole.values);
    expect(singly.values).toEqual(whole.values);
  });
});

afterAll(() => device.idle());
