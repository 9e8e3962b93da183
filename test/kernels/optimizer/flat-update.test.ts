import { expect, test } from 'vitest';
import { Arena, ArenaLayout, RANGE_ALIGNMENT } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { store } from '../../../src/engine/store.js';
import { flatUpdate, hyperLength } from '../../../src/kernels/optimizer/flat-update.js';
import { exp } from '../../../src/kernels/pointwise/pointwise-table.js';
import { testDevice } from '../../device.js';

/** Gradient descent, without anything. */
const descent = {
  name: 'descent',
  state: [],
  hyper: ['learningRate'],
  flops: 2,
  wgsl: 'let updated = params[i] - learningRate * rate * gradient;',
};

test('a value that was stored where the average is stays what it was when the average moves on', async () => {
  const device = await testDevice();
  const layout = new ArenaLayout([{ name: 'w', shape: [RANGE_ALIGNMENT], dtype: 'f32' }], 1e6);
  const arenas = {
    params: await Arena.create(device, 'params', layout),
    average: await Arena.create(device, 'average', layout),
    grads: await Arena.create(device, 'grads', layout),
  };
  const graph = new Graph();
  const [params, average, grads] = (['params', 'average', 'grads'] as const).map(
    (name) => layout.shardVariables(graph, name)[0]!,
  );
  const start = exp(graph.input('x', [RANGE_ALIGNMENT]));
  store(start, average!);
  flatUpdate(descent, {
    params: params!,
    state: {},
    grads: grads!,
    average,
    table: graph.constant(Float32Array.of(1, 0), [1, 2]),
    hyper: graph.input('hyper', [hyperLength(descent)]),
    clip: graph.constant(Float32Array.of(1), [1]),
  });
  const program = await compile(device, { graph, outputs: [start], arenas });
  arenas.grads.write('w', new Float32Array(RANGE_ALIGNMENT).fill(2));
  // learning rate ½, and half of the way from the average to the parameters
  program.run({ hyper: Float32Array.of(0.5, 0.5, 0, 0) });
  expect((await arenas.params.read('w'))[5]).toBe(-1);
  expect((await arenas.average.read('w'))[5]).toBe(0);
  expect((await program.read(start))[5]).toBe(1);
  program.destroy();
  for (const arena of Object.values(arenas)) arena.destroy();
});
