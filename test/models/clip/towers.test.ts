import { describe, expect, test } from 'vitest';
import { Arena, ArenaLayout } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { matmul } from '../../../src/kernels/conv/conv.js';
import { square } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { transpose } from '../../../src/kernels/shape/movement.js';
import { imageTower } from '../../../src/models/clip/image-tower.js';
import { textTower } from '../../../src/models/clip/text-tower.js';
import { exportTimm, type ModelTensors } from '../../../src/models/weights/timm-weights.js';
import { testDevice } from '../../device.js';
import { CLIP_GOLDENS, type ClipGolden } from '../../golden/clip-golden.js';
import { expectDigest, relativeError } from '../../golden/digest.js';
import { hashImages } from '../../golden/hash-weights.js';
import { hashWeights } from '../../golden/model-golden.js';

const TOLERANCE = 1e-4;

/** Both towers over the golden file's pictures and texts, and the gradients of its sum where wanted. */
async function run(golden: ClipGolden, gradients: boolean) {
  const device = await testDevice();
  const config = { ...golden.config, preprocessing: { mean: [], std: [] } };
  const towers = { image: imageTower(config), text: textTower(config) };
  const tensors: ModelTensors = {
    parameters: [...towers.image.parameters, ...towers.text.parameters],
    statistics: [],
  };
  expect(Object.fromEntries(tensors.parameters.map(({ name }) => [name, true]))).toEqual(
    Object.fromEntries(Object.keys(golden.shapes).map((name) => [name, true])),
  );
  const weights = hashWeights(tensors, golden.shapes);
  const params = await Arena.create(
    device,
    'params',
    new ArenaLayout(tensors.parameters, device.traits.maxBindingBytes),
  );
  for (const [name, values] of weights.parameters) params.write(name, values);

  const { tokens, images } = golden;
  const [texts, context] = [tokens.length, tokens[0]!.length];
  const pictures = [images.length, ...config.image.size, 3] as const;
  const graph = new Graph();
  const picture = towers.image.trace(
    graph,
    { images: graph.input('images', pictures) },
    { mode: 'eval' },
  ).outputs;
  const text = towers.text.trace(
    graph,
    { tokens: graph.input('tokens', [texts, context], 'u32'), ends: graph.input('ends', [texts], 'u32') },
    { mode: 'eval' },
  ).outputs;
  const variables = tensors.parameters.map(({ name, shape }) => graph.variable('params', name, shape));
  const slopes: Tensor[] = gradients
    ? grad(sum(square(matmul(picture.embedding, transpose(text.embedding)))), variables)
    : [];
  const outputs = [picture.embedding, text.embedding, ...slopes];
  const program = await compile(device, { graph, outputs, arenas: { params } });
  program.run({
    images: hashImages(pictures, 1),
    tokens: Uint32Array.from(tokens.flat()),
    ends: Uint32Array.from(tokens, (row, i) => i * context + row.indexOf(Math.max(...row))),
  });
  const read: Float32Array[] = [];
  for (const output of outputs) read.push(await program.read(output));
  const found = new Map(tensors.parameters.map(({ name }, i) => [name, read[i + 2]!]));
  program.destroy();
  params.destroy();
  return {
    images: read[0]!,
    texts: read[1]!,
    gradients: gradients ? exportTimm(tensors, { parameters: found, statistics: new Map() }) : new Map(),
  };
}

describe("CLIP's towers equal PyTorch", () => {
  for (const [name, golden] of Object.entries(CLIP_GOLDENS)) {
    // L/14's table of tokens is larger than a binding of lavapipe: test/zeroshot/clip.test.ts has it
    if (name === 'ViT-L-14') continue;
    const large = name !== 'small' && !process.env.TAILRAY_LARGE_TESTS;
    test.skipIf(large)(
      `${name}: embeddings of images and texts${golden.gradients ? ', every gradient' : ' (a minute: only with TAILRAY_LARGE_TESTS=1)'}`,
      async () => {
        const actual = await run(golden, golden.gradients !== undefined);
        expect(relativeError(actual.images, golden.images.flat())).toBeLessThan(TOLERANCE);
        expect(relativeError(actual.texts, golden.texts.flat())).toBeLessThan(TOLERANCE);
        for (const [parameter, digest] of Object.entries(golden.gradients ?? {})) {
          const { data } = actual.gradients.get(parameter)!;
          expectDigest(parameter, data as Float32Array, digest, TOLERANCE);
        }
      },
      600_000,
    );
  }
});
