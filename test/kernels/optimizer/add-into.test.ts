import { expect, test } from 'vitest';
import { Arena, ArenaLayout } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { addInto } from '../../../src/kernels/optimizer/add-into.js';
import { mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { testDevice } from '../../device.js';

test.each([1, 7, 128, 1001, 4096])('adds %i elements, and leaves what pads them zero', async (length) => {
  const device = await testDevice();
  const arena = await Arena.create(
    device,
    'grads',
    new ArenaLayout([{ name: 'w', shape: [length], dtype: 'f32' }], 1e6),
  );
  const graph = new Graph();
  addInto(mul(graph.input('x', [1, length]), 2), graph.variable('grads', 'w', [length]));
  const program = await compile(device, { graph, arenas: { grads: arena } });
  const x = Float32Array.from({ length }, (_, i) => i + 1);
  for (let run = 0; run < 3; run++) program.run({ x });
  expect(await arena.read('w')).toEqual(x.map((value) => 6 * value));
  const shard = await arena.read(ArenaLayout.shardName(0));
  expect(shard.subarray(length).every((value) => value === 0)).toBe(true);
  program.destroy();
  arena.destroy();
});

test('only into a variable, of as many elements', () => {
  const graph = new Graph();
  const x = graph.input('x', [4]);
  expect(() => addInto(x, x)).toThrow(/must be a variable/);
  expect(() => addInto(x, graph.variable('grads', 'w', [5]))).toThrow(ShapeError);
  expect(() => addInto(x, graph.variable('halves', 'w', [4], 'f16'))).toThrow(ShapeError);
});
