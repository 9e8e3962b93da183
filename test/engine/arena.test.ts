import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, ArenaLayout, ArenaPlan, createArenas, RANGE_ALIGNMENT } from '../../src/engine/arena.js';
import { compile } from '../../src/engine/compile.js';
import { OutOfMemoryError, ShapeError } from '../../src/engine/errors.js';
import { Graph } from '../../src/engine/graph/tensor.js';
import { store } from '../../src/engine/store.js';
import { add, mul } from '../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../src/kernels/reduce/reduce.js';
import { testDevice } from '../device.js';

const tensors = (lengths: readonly number[]) =>
  lengths.map((length, i) => ({ name: `t${i}`, shape: [length], dtype: 'f32' as const }));

describe('ArenaLayout', () => {
  test('ranges are aligned, in order, disjoint, and shards keep to the limit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 2048, max: 8192 }),
        (lengths, limit) => {
          const layout = new ArenaLayout(tensors(lengths), limit);
          const ends = layout.shards.map(() => 0);
          let shard = 0;
          for (const range of layout.ranges.values()) {
            expect(range.shard).toBeGreaterThanOrEqual(shard);
            shard = range.shard;
            expect(range.offset % RANGE_ALIGNMENT).toBe(0);
            expect(range.offset).toBeGreaterThanOrEqual(ends[shard]!);
            ends[shard] = range.offset + range.length;
            expect(ends[shard]!).toBeLessThanOrEqual(layout.shards[shard]!);
          }
          for (const elements of layout.shards) expect(elements * 4).toBeLessThanOrEqual(limit);
          expect([...layout.ranges.keys()]).toEqual(lengths.map((_, i) => `t${i}`));
        },
      ),
    );
  });

  test('resting tensors lie behind the leading shards, which are those of a layout without them', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 8 });
    fc.assert(
      fc.property(lengths, lengths, (moving, resting) => {
        const all = tensors([...moving, ...resting]);
        const layout = new ArenaLayout(all.slice(0, moving.length), 4096, all.slice(moving.length));
        const alone = new ArenaLayout(all.slice(0, moving.length), 4096);
        expect([...layout.ranges.keys()]).toEqual(all.map(({ name }) => name));
        if (moving.length > 0) expect(layout.shards.slice(0, layout.leading)).toEqual(alone.shards);
        for (const [i, { name }] of all.entries()) {
          expect(layout.rests(name)).toBe(i >= moving.length);
          if (i < moving.length) expect(layout.range(name)).toEqual(alone.range(name));
        }
      }),
    );
  });

  test('refuses two tensors of one name, and tells of a name that it has not', () => {
    expect(() => new ArenaLayout([...tensors([1]), ...tensors([2])], 4096)).toThrow(/two tensors.*"t0"/);
    expect(() => new ArenaLayout(tensors([1]), 4096).range('t1')).toThrow(ShapeError);
  });
});

describe('Arena', () => {
  test('what rests in another arena is read and written there, and counted there only', async () => {
    const device = await testDevice();
    const [moving, resting] = [tensors([100]), [{ name: 'frozen', shape: [300], dtype: 'f32' as const }]];
    const layout = new ArenaLayout(moving, 2048, resting);
    const planned = new ArenaPlan('params', layout);
    const { params, average } = await createArenas(device, {
      params: planned,
      average: new ArenaPlan('average', layout, { restsIn: planned }),
    });
    expect([params.bytes, average.bytes]).toEqual([4 * (128 + 384), 4 * 128]);
    expect([average.owns('t0'), average.owns('frozen')]).toEqual([true, false]);
    params.write('frozen', new Float32Array(300).fill(3));
    params.write('t0', new Float32Array(100).fill(1));
    average.write('t0', new Float32Array(100).fill(2));
    const values = await average.readAll();
    expect([values.get('t0')?.[99], values.get('frozen')?.[299]]).toEqual([2, 3]);
    average.destroy();
    expect((await params.read('frozen'))[0]).toBe(3);
    params.destroy();
  });

  test('of several arenas those that have memory give it back where another gets none', async () => {
    const device = await testDevice();
    const layout = new ArenaLayout(tensors([100]), 2048);
    const destroyed: string[] = [];
    const scarce = Object.create(device, {
      createBuffer: {
        value(label: string) {
          if (label.startsWith('grads')) throw new OutOfMemoryError('no memory for grads');
          return Promise.resolve({ destroy: () => destroyed.push(label) });
        },
      },
    });
    const plan = (name: string) => new ArenaPlan(name, layout);
    await expect(
      createArenas(scarce, { params: plan('params'), stats: plan('stats'), grads: plan('grads') }),
    ).rejects.toThrow('no memory for grads');
    expect(destroyed).toEqual(['params (shard 0)', 'stats (shard 0)']);
    const average = new ArenaPlan('average', layout, { restsIn: plan('params') });
    await expect(createArenas(device, { average })).rejects.toThrow(
      /average rests in params, which is not made/,
    );
  });

  test('a layout of several shards writes, reads and computes like one', async () => {
    const device = await testDevice();
    const lengths = [100, 200, 7, 256, 3];
    const layout = new ArenaLayout(tensors(lengths), 1024);
    expect(layout.shards.length).toBeGreaterThan(2);
    const [params, grads] = [
      await Arena.create(device, 'params', layout),
      await Arena.create(device, 'grads', layout),
    ];
    for (const [i, length] of lengths.entries()) params.write(`t${i}`, new Float32Array(length).fill(i + 1));
    const graph = new Graph();
    for (const [i, length] of lengths.entries()) {
      const value = mul(graph.variable('params', `t${i}`, [length]), 10);
      store(value, graph.variable('grads', `t${i}`, [length]));
    }
    // The padding between ranges is zero, so that whole shards can be summed.
    const total = layout.shards
      .map((elements, shard) => sum(graph.variable('grads', ArenaLayout.shardName(shard), [elements])))
      .reduce(add);
    const program = await compile(device, { graph, outputs: [total], arenas: { params, grads } });
    program.run();
    const all = await grads.readAll();
    for (const [i, length] of lengths.entries()) {
      expect(all.get(`t${i}`)).toEqual(new Float32Array(length).fill(10 * (i + 1)));
    }
    expect((await program.read(total))[0]).toBe(
      lengths.reduce((sum, length, i) => sum + length * 10 * (i + 1), 0),
    );
    expect(() => params.write('t0', new Float32Array(3))).toThrow(/params\/t0 holds 100 values, got 3/);
    program.destroy();
    params.destroy();
    grads.destroy();
  });

  test('more parameters than one binding of 128 MiB holds', async () => {
    const device = await testDevice();
    const limit = Math.min(device.traits.maxBindingBytes, 128 * 2 ** 20);
    const length = 20 * 2 ** 20;
    const layout = new ArenaLayout(tensors([length, 16, length]), limit);
    expect(layout.elements * 4).toBeGreaterThan(128 * 2 ** 20);
    expect(layout.shards).toHaveLength(2);
    const params = await Arena.create(device, 'params', layout);
    params.write('t0', new Float32Array(length).fill(0.5));
    params.write('t1', new Float32Array(16).fill(100));
    params.write('t2', new Float32Array(length).fill(2));
    const graph = new Graph();
    const squares = layout.shards.map((elements, shard) => {
      const values = graph.variable('params', ArenaLayout.shardName(shard), [elements]);
      return sum(mul(values, values));
    });
    const program = await compile(device, { graph, outputs: squares, arenas: { params } });
    program.run();
    expect((await program.read(squares[0]!))[0]).toBe(length / 4 + 160_000);
    expect((await program.read(squares[1]!))[0]).toBe(length * 4);
    program.destroy();
    params.destroy();
  });
});
