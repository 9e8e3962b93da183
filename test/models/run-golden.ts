import { compile } from '../../src/engine/compile.js';
import { Graph, type Tensor } from '../../src/engine/graph/tensor.js';
import { grad } from '../../src/kernels/common/grad.js';
import { traceLoss } from '../../src/losses/define/trace-loss.js';
import { createWeightArenas } from '../../src/models/weight-arenas.js';
import { exportTimm, type ModelTensors, type ModelWeights } from '../../src/models/weights/timm-weights.js';
import { testDevice } from '../device.js';
import { goldenBatch, goldenModel, type ModelGolden } from '../golden/model-golden.js';

/** One pass, forward and backward, of the network and batch of a golden file: what its numbers are compared with. */
export async function runGolden(golden: ModelGolden, mode: 'train' | 'eval') {
  const { definition, weights } = goldenModel(golden);
  return runPass({
    tensors: definition,
    weights,
    feeds: goldenBatch(golden),
    classes: golden.classes,
    trace(graph) {
      const { logits, features, embedding, observed } = definition.trace(
        graph,
        graph.input('images', golden.images),
        mode,
      );
      return { logits, values: { features, ...(embedding && { embedding }) }, observed };
    },
  });
}

/** A function of parameters and inputs that ends in logits, and what it is fed. */
export interface Pass {
  readonly tensors: ModelTensors;
  readonly weights: ModelWeights;
  /** By name of input; `targets` of the loss among them. */
  readonly feeds: Readonly<Record<string, Float32Array>>;
  readonly classes: number;
  trace(graph: Graph): {
    readonly logits: Tensor;
    /** What is read beside the logits. */
    readonly values: Readonly<Record<string, Tensor>>;
    readonly observed: ReadonlyMap<string, Tensor>;
    /** What the gradient is wanted of beside the parameters. */
    readonly inputs?: Readonly<Record<string, Tensor>>;
  };
}

/** Logits, values, loss and gradients of one pass, and the running statistics after it. */
export async function runPass({ tensors, weights, feeds, classes, trace }: Pass) {
  const device = await testDevice();
  const { params, stats } = await createWeightArenas(device, tensors, weights);

  const graph = new Graph();
  const { logits, values, observed, inputs = {} } = trace(graph);
  const targets = graph.input('targets', [logits.shape[0]!, classes]);
  const loss = traceLoss('bce', {}, logits, targets);
  const parameters = tensors.parameters.map(({ name, shape }) => graph.variable('params', name, shape));
  const gradients = grad(loss, [...parameters, ...Object.values(inputs)]);
  const program = await compile(device, {
    graph,
    outputs: [logits, loss, ...Object.values(values), ...gradients, ...observed.values()],
    arenas: { params, stats },
  });
  program.run(feeds);
  const readAll = async (named: readonly (readonly [string, Tensor])[]) => {
    const result = new Map<string, Float32Array>();
    for (const [name, tensor] of named) result.set(name, await program.read(tensor));
    return result;
  };
  const names = [...tensors.parameters.map(({ name }) => name), ...Object.keys(inputs)];
  const found = await readAll(names.map((name, i) => [name, gradients[i]!]));
  const running = await readAll([...observed]);
  const result = {
    logits: await program.read(logits),
    values: await readAll(Object.entries(values)),
    loss: (await program.read(loss))[0]!,
    gradients: exportTimm(tensors, { parameters: found, statistics: weights.statistics }),
    inputGradients: new Map(Object.keys(inputs).map((name) => [name, found.get(name)!])),
    // PyTorch's momentum of 0.1
    running: new Map(
      [...running].map(([name, seen]) => [
        name,
        weights.statistics.get(name)!.map((old, i) => 0.9 * old + 0.1 * seen[i]!),
      ]),
    ),
  };
  program.destroy();
  params.destroy();
  stats.destroy();
  return result;
}
