import { Arena, ArenaLayout } from '../../src/engine/arena.js';
import { elementCount, Graph, type Shape, type Tensor } from '../../src/engine/graph/tensor.js';
import { Random } from '../../src/engine/random.js';
import { store } from '../../src/engine/store.js';
import { grad } from '../../src/kernels/common/grad.js';
import { conv2d } from '../../src/kernels/conv/conv.js';
import { batchNorm } from '../../src/kernels/norm/batch-norm.js';
import { add, dropout, gelu, mul, relu, sigmoid } from '../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../src/kernels/reduce/reduce.js';
import { maxPool2d } from '../../src/kernels/shape/pool.js';
import { reshape } from '../../src/kernels/shape/reshape.js';
import { testDevice } from '../device.js';

/** Small networks drawn at random, with a whole training step: loss, gradients in an arena, and an update in place. */
export const LAYERS = [
  'conv',
  'norm',
  'relu',
  'gelu',
  'shortcut',
  'dropout',
  'reshape',
  'pool',
  'gate',
] as const;
export type Layer = (typeof LAYERS)[number];

const CHANNELS = 8;

export interface TracedNetwork {
  readonly graph: Graph;
  readonly loss: Tensor;
  readonly outputs: readonly Tensor[];
  readonly arenas: Readonly<Record<'params' | 'grads', Arena>>;
  readonly feeds: Readonly<Record<string, Float32Array | Uint32Array>>;
}

export async function traceNetwork(layers: readonly Layer[], batch = 2, side = 8): Promise<TracedNetwork> {
  const device = await testDevice();
  const parameters: { name: string; shape: Shape }[] = [];
  const graph = new Graph();
  const parameter = (shape: Shape): Tensor => {
    const name = `p${parameters.length}`;
    parameters.push({ name, shape });
    return graph.variable('params', name, shape);
  };
  const seed = graph.input('seed', [2], 'u32');
  let x = graph.input('images', [batch, side, side, CHANNELS]);
  let skipped = x;
  for (const [depth, layer] of layers.entries()) {
    x = graph.scope(`layer${depth}`, () => {
      switch (layer) {
        case 'conv':
          return conv2d(x, parameter([3, 3, CHANNELS, CHANNELS]), { padding: 1 });
        case 'norm':
          return batchNorm(x, parameter([CHANNELS]), parameter([CHANNELS]), { epsilon: 1e-5 }).y;
        case 'relu':
          return relu(x);
        case 'gelu':
          return gelu(x);
        case 'shortcut': {
          const joined = add(x, skipped);
          skipped = joined;
          return joined;
        }
        case 'dropout':
          return dropout(x, seed, { p: 0.25, stream: depth });
        case 'reshape':
          return reshape(relu(reshape(x, [batch * side * side, CHANNELS])), x.shape);
        case 'pool':
          return maxPool2d(x, { kernel: 3, stride: 1, padding: 1 });
        case 'gate':
          return mul(x, sigmoid(x));
      }
    });
  }
  const loss = sum(mul(x, x));
  const variables = parameters.map(({ name, shape }) => graph.variable('params', name, shape));
  const gradients = grad(loss, variables);
  for (const [i, { name, shape }] of parameters.entries()) {
    store(gradients[i]!, graph.variable('grads', name, shape));
  }
  // Parameters change at the end: nothing may be computed from them again afterwards.
  for (const [i, { name, shape }] of parameters.entries()) {
    store(add(variables[i]!, mul(graph.variable('grads', name, shape), -0.01)), variables[i]!);
  }
  const layout = new ArenaLayout(
    [...parameters, { name: 'unused', shape: [1] }].map((spec) => ({ ...spec, dtype: 'f32' as const })),
    device.traits.maxBindingBytes,
  );
  const arenas = {
    params: await Arena.create(device, 'params', layout),
    grads: await Arena.create(device, 'grads', layout),
  };
  const random = new Random(1, 'traced-network');
  for (const { name, shape } of parameters) {
    const values = Float32Array.from({ length: elementCount(shape) }, () => random.normal() * 0.3);
    arenas.params.write(name, values);
  }
  const pixels = Float32Array.from({ length: batch * side * side * CHANNELS }, () => random.normal());
  return {
    graph,
    loss,
    outputs: [loss, x],
    arenas,
    feeds: { images: pixels, seed: Uint32Array.of(7, 11) },
  };
}
