import { describe, expect, test } from 'vitest';
import { Arena, ArenaLayout } from '../../src/engine/arena.js';
import { compile } from '../../src/engine/compile.js';
import { DeviceLostError, KernelError, OutOfMemoryError, ShapeError } from '../../src/engine/errors.js';
import { applyOne, Graph, type Op, type TensorSpec } from '../../src/engine/graph/tensor.js';
import { store } from '../../src/engine/store.js';
import { add, broadcastTo, exp, mul, relu } from '../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../src/kernels/reduce/reduce.js';
import { permute } from '../../src/kernels/shape/movement.js';
import { openDevice } from '../../src/platform/node/open-device.js';
import { formatByteSize } from '../../src/text/byte-size.js';
import { testDevice } from '../device.js';

const vector = (...values: number[]) => Float32Array.from(values);

async function arenaOf(name: string, ranges: Record<string, number>): Promise<Arena> {
  const device = await testDevice();
  const tensors = Object.entries(ranges).map(([range, length]): TensorSpec & { name: string } => ({
    name: range,
    shape: [length],
    dtype: 'f32',
  }));
  return Arena.create(device, name, new ArenaLayout(tensors, 1 << 20));
}

describe('feeding and reading', () => {
  test('inputs keep what they held until they are fed again', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const total = add(graph.input('a', [2]), graph.input('b', [2]));
    const program = await compile(device, { graph, outputs: [total] });
    program.run({ a: vector(1, 2), b: vector(10, 20) });
    program.run({ a: vector(3, 4) });
    expect([...(await program.read(total))]).toEqual([13, 24]);
    program.destroy();
  });

  test('says which input is unknown, or of the wrong size or type', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const y = exp(graph.input('x', [2]));
    const program = await compile(device, { graph, outputs: [y] });
    expect(() => program.run({ y: vector(1, 2) })).toThrow(/no input "y": it has x/);
    expect(() => program.run({ x: vector(1, 2, 3) })).toThrow(/input "x" is \[2\] f32, got 3 values/);
    expect(() => program.run({ x: Uint32Array.of(1, 2) })).toThrow(ShapeError);
    program.destroy();
  });

  test('constants are there before the first run', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const y = mul(graph.constant(vector(2, 3), [2]), graph.input('x', [2]));
    const program = await compile(device, { graph, outputs: [y] });
    program.run({ x: vector(5, 7) });
    expect([...(await program.read(y))]).toEqual([10, 21]);
    program.destroy();
  });

  test('records are kept run by run, up to the capacity', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const records = [sum(x), sum(mul(x, 2))];
    const program = await compile(device, { graph, records, recordCapacity: 3 });
    for (const value of [1, 2, 3]) program.run({ x: vector(value, value) });
    expect(program.recordedRuns).toBe(3);
    expect(() => program.run()).toThrow(/holds 3 runs/);
    expect(await program.history()).toEqual([
      [2, 4],
      [4, 8],
      [6, 12],
    ]);
    expect(await program.history()).toEqual([]);
    program.run({ x: vector(4, 5) });
    expect(await program.history()).toEqual([[9, 18]]);
    program.destroy();
  });

  test('the plan tells each op, and its peak, before the first run', async () => {
    const device = await testDevice();
    const graph = new Graph();
    let y = graph.input('x', [1024]);
    const sums = [];
    for (let i = 0; i < 6; i++) {
      y = exp(y);
      sums.push(sum(y));
    }
    const program = await compile(device, { graph, outputs: sums });
    // The last exponential has one reader and is merged into it.
    const pairs = Array.from({ length: 5 }, () => ['pointwise', 'reduce']).flat();
    expect(program.rows.map(({ op }) => op)).toEqual([...pairs, 'reduce']);
    // Five values of 4 KiB take turns in two buffers; beside them lie the sums and their scratch.
    expect(program.peakBytes).toBeGreaterThanOrEqual(2 * 4096);
    expect(program.peakBytes).toBeLessThan(4 * 4096);
    program.destroy();
  });
});

describe('store', () => {
  test('a computed value is written into its arena directly', async () => {
    const device = await testDevice();
    const arena = await arenaOf('grads', { v: 5, w: 3 });
    const graph = new Graph();
    store(exp(graph.input('x', [5])), graph.variable('grads', 'v', [5]));
    const program = await compile(device, { graph, arenas: { grads: arena } });
    expect(program.rows.map(({ variant }) => variant)).not.toContain('copy');
    program.run({ x: vector(0, 0, 0, 0, 0) });
    expect([...(await arena.read('v'))]).toEqual([1, 1, 1, 1, 1]);
    expect([...(await arena.read('w'))]).toEqual([0, 0, 0]);
    program.destroy();
    arena.destroy();
  });

  test('a value computed from its own arena is copied in, after every reader of the old one', async () => {
    const device = await testDevice();
    const arena = await arenaOf('state', { v: 3, other: 3 });
    arena.write('v', vector(1, 2, 3));
    arena.write('other', vector(10, 20, 30));
    const graph = new Graph();
    const variable = graph.variable('state', 'v', [3]);
    const next = add(variable, graph.variable('state', 'other', [3]));
    const before = mul(variable, 100);
    store(next, variable);
    const after = mul(variable, 100);
    const program = await compile(device, { graph, outputs: [before, after], arenas: { state: arena } });
    expect(program.rows.map(({ variant }) => variant)).toContain('copy');
    program.run();
    expect([...(await program.read(before))]).toEqual([100, 200, 300]);
    expect([...(await program.read(after))]).toEqual([1100, 2200, 3300]);
    program.run();
    expect([...(await arena.read('v'))]).toEqual([21, 42, 63]);
    program.destroy();
    arena.destroy();
  });

  test('a value of another shape, and one that is also read elsewhere', async () => {
    const device = await testDevice();
    const arena = await arenaOf('grads', { v: 6 });
    const graph = new Graph();
    const value = exp(graph.input('x', [2, 3]));
    store(value, graph.variable('grads', 'v', [6]));
    const total = sum(value);
    const program = await compile(device, { graph, outputs: [total], arenas: { grads: arena } });
    program.run({ x: new Float32Array(6) });
    expect((await program.read(total))[0]).toBe(6);
    expect([...(await arena.read('v'))]).toEqual([1, 1, 1, 1, 1, 1]);
    program.destroy();
    arena.destroy();
  });

  test('of two stores into one variable the last counts, and the first value stays what it was', async () => {
    const device = await testDevice();
    const arena = await arenaOf('grads', { v: 2 });
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const variable = graph.variable('grads', 'v', [2]);
    const first = add(x, 1);
    store(first, variable);
    store(mul(x, 2), variable);
    const program = await compile(device, { graph, outputs: [first], arenas: { grads: arena } });
    program.run({ x: vector(5, 7) });
    expect([...(await arena.read('v'))]).toEqual([10, 14]);
    expect([...(await program.read(first))]).toEqual([6, 8]);
    program.destroy();
    arena.destroy();
  });

  test('only into a variable, of as many elements; its arena must be given and fit', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const x = graph.input('x', [2]);
    expect(() => store(x, x)).toThrow(/must be a variable/);
    expect(() => store(x, graph.variable('grads', 'long', [3]))).toThrow(ShapeError);
    store(exp(x), graph.variable('grads', 'v', [2]));
    await expect(compile(device, { graph })).rejects.toThrow(/no arena "grads" was given for variable "v"/);
    const arena = await arenaOf('grads', { v: 3 });
    await expect(compile(device, { graph, arenas: { grads: arena } })).rejects.toThrow(
      /grads\/v is 12 bytes, the graph wants \[2\] f32/,
    );
    arena.destroy();
  });
});

describe('errors name what they are about', () => {
  const broken: Op<undefined> = {
    name: 'broken',
    infer: ([x]) => [{ shape: x?.shape ?? [], dtype: 'f32' }],
    flops: () => 0,
    variants: [
      {
        name: 'only',
        unfit: () => undefined,
        rank: () => 1,
        build: () => ({
          scratch: [],
          steps: [
            {
              kind: 'dispatch',
              code: '@compute @workgroup_size(1) fn main() { y[0] = nonsense; }',
              bindings: [
                { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
              ],
              workgroups: [1, 1, 1],
            },
          ],
        }),
      },
    ],
  };

  test('a refused shader: the op, its scope and the reason; the device stays usable', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const y = graph.scope('layer1', () => applyOne(broken, [graph.input('x', [1])], undefined));
    const refused = compile(device, { graph, outputs: [y] });
    await expect(refused).rejects.toThrow(KernelError);
    await expect(refused).rejects.toThrow(/layer1\.broken.*nonsense/s);
    await device.idle();
  });

  test('no variant that fits: each one and why', async () => {
    const device = await testDevice();
    const picky: Op<undefined> = {
      ...broken,
      name: 'picky',
      variants: broken.variants.map((variant) => ({ ...variant, unfit: () => 'the moon is full' })),
    };
    const graph = new Graph();
    const y = applyOne(picky, [graph.input('x', [1])], undefined);
    await expect(compile(device, { graph, outputs: [y] })).rejects.toThrow(
      /cannot run a kernel of picky\(\[1\] f32\).*only: the moon is full/,
    );
  });

  test('a value beyond the binding limit that an op needs as a whole: both, the shape and both sizes', async () => {
    const device = await testDevice();
    const elements = device.traits.maxBindingBytes / 4 + 64;
    const graph = new Graph();
    const y = graph.scope('stem', () =>
      permute(broadcastTo(graph.input('x', [1, 1]), [2, elements / 2]), [1, 0]),
    );
    const refused = compile(device, { graph, outputs: [y] });
    await expect(refused).rejects.toThrow(OutOfMemoryError);
    const [needed, most] = [4 * elements, device.traits.maxBindingBytes].map(formatByteSize);
    await expect(refused).rejects.toThrow(
      `stem.pointwise [2, ${elements / 2}] f32 needs ${needed} at once, this adapter binds at most ${most}, ` +
        'and stem.permute cannot be computed in rows of it: use a smaller batch',
    );
  });

  test('a parameter beyond the binding limit: its name', () => {
    expect(() => new ArenaLayout([{ name: 'fc.weight', shape: [1000], dtype: 'f32' }], 2048)).toThrow(
      /"fc\.weight" \[1000\] takes 4000 bytes/,
    );
  });

  test('a device that goes away while work is pending, and any use of it afterwards', async () => {
    const device = await openDevice();
    const graph = new Graph();
    const y = relu(graph.input('x', [4]));
    const program = await compile(device, { graph, outputs: [y] });
    program.run({ x: vector(1, 2, 3, 4) });
    const pending = program.read(y);
    device.gpu.destroy();
    await expect(pending).rejects.toThrow(DeviceLostError);
    await expect(program.read(y)).rejects.toThrow(DeviceLostError);
    expect(() => program.run()).toThrow(DeviceLostError);
  });

  test('a device that was closed', async () => {
    const device = await openDevice();
    device.close();
    expect(() => device.assertUsable()).toThrow(DeviceLostError);
    await expect(device.idle()).rejects.toThrow(/closed/);
  });
});
