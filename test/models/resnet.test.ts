import { describe, expect, test } from 'vitest';
import { Arena, ArenaLayout } from '../../src/engine/arena.js';
import { compile } from '../../src/engine/compile.js';
import { Graph } from '../../src/engine/tensor.js';
import { grad } from '../../src/kernels/grad.js';
import { traceLoss } from '../../src/losses/trace-loss.js';
import { defineModel, parameterCount } from '../../src/models/model.js';
import { exportTimm } from '../../src/models/timm-weights.js';
import { testDevice } from '../device.js';
import { expectDigest, relativeError } from '../golden/digest.js';
import { goldenBatch, goldenModel, RESNET_GOLDENS, type ResNetGolden } from '../golden/resnet-golden.js';

/** The bound, as the L2 error of a tensor over its norm. */
const TOLERANCE = 1e-4;

async function run(golden: ResNetGolden, mode: 'train' | 'eval') {
  const device = await testDevice();
  const { definition, weights } = goldenModel(golden);
  const limit = device.traits.maxBindingBytes;
  const params = await Arena.create(device, 'params', new ArenaLayout(definition.parameters, limit));
  const stats = await Arena.create(device, 'stats', new ArenaLayout(definition.statistics, limit));
  for (const [name, values] of weights.parameters) params.write(name, values);
  for (const [name, values] of weights.statistics) stats.write(name, values);

  const graph = new Graph();
  const images = graph.input('images', golden.images);
  const targets = graph.input('targets', [golden.images[0], golden.classes]);
  const { logits, observed } = definition.trace(graph, images, mode);
  const loss = traceLoss('bce', {}, logits, targets);
  const parameters = definition.parameters.map(({ name, shape }) => graph.variable('params', name, shape));
  const gradients = grad(loss, parameters);
  const program = await compile(device, {
    graph,
    outputs: [logits, loss, ...gradients, ...observed.values()],
    arenas: { params, stats },
  });
  program.run(goldenBatch(golden));
  const parameterGradients = new Map<string, Float32Array>();
  for (const [i, { name }] of definition.parameters.entries()) {
    parameterGradients.set(name, await program.read(gradients[i]!));
  }
  const running = new Map<string, Float32Array>();
  for (const [name, tensor] of observed) {
    // PyTorch's momentum of 0.1
    const seen = await program.read(tensor);
    running.set(
      name,
      weights.statistics.get(name)!.map((old, i) => 0.9 * old + 0.1 * seen[i]!),
    );
  }
  const result = {
    logits: await program.read(logits),
    loss: (await program.read(loss))[0]!,
    gradients: exportTimm(definition, { parameters: parameterGradients, statistics: weights.statistics }),
    running,
  };
  program.destroy();
  params.destroy();
  stats.destroy();
  return result;
}

describe('ResNets equal PyTorch', () => {
  for (const golden of RESNET_GOLDENS) {
    for (const mode of ['eval', 'train'] as const) {
      test(`${golden.arch}, ${golden.stem} stem, ${mode}: logits, loss, every parameter gradient`, async () => {
        const expected = golden[mode];
        const actual = await run(golden, mode);
        expect(relativeError(actual.logits, expected.logits.flat())).toBeLessThan(TOLERANCE);
        expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
        for (const [name, digest] of Object.entries(expected.gradients)) {
          expectDigest(name, actual.gradients.get(name)!.data as Float32Array, digest, TOLERANCE);
        }
        if (mode === 'train') {
          for (const [name, digest] of Object.entries(golden.train.runningStatistics)) {
            expectDigest(name, actual.running.get(name)!, digest, TOLERANCE);
          }
        }
      });
    }
  }
});

test('parameter counts are the published ones', () => {
  const count = (arch: string) => parameterCount(defineModel({ arch, classes: 1000, inChannels: 3 })) / 1e6;
  expect(count('resnet18')).toBeCloseTo(11.69, 2);
  expect(count('resnet34')).toBeCloseTo(21.8, 2);
  expect(count('resnet50')).toBeCloseTo(25.56, 2);
});

test('an unknown architecture is refused with the known ones', () => {
  expect(() => defineModel({ arch: 'resnet19', classes: 3 })).toThrow('known are resnet10, resnet18');
});
