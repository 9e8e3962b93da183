import { Arena, ArenaLayout } from '../../src/engine/arena.js';
import { compile } from '../../src/engine/compile.js';
import { Graph } from '../../src/engine/tensor.js';
import { grad } from '../../src/kernels/grad.js';
import { traceLoss } from '../../src/losses/trace-loss.js';
import { exportTimm } from '../../src/models/timm-weights.js';
import { testDevice } from '../device.js';
import { goldenBatch, goldenModel, type ModelGolden } from '../golden/model-golden.js';

/** One pass, forward and backward, of the network and batch of a golden file: what its numbers are compared with. */
export async function runGolden(golden: ModelGolden, mode: 'train' | 'eval') {
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
  const { logits, features, observed } = definition.trace(graph, images, mode);
  const loss = traceLoss('bce', {}, logits, targets);
  const parameters = definition.parameters.map(({ name, shape }) => graph.variable('params', name, shape));
  const gradients = grad(loss, parameters);
  const program = await compile(device, {
    graph,
    outputs: [logits, features, loss, ...gradients, ...observed.values()],
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
    features: await program.read(features),
    loss: (await program.read(loss))[0]!,
    gradients: exportTimm(definition, { parameters: parameterGradients, statistics: weights.statistics }),
    running,
  };
  program.destroy();
  params.destroy();
  stats.destroy();
  return result;
}
