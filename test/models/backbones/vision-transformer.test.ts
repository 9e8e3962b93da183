import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { VISION_TRANSFORMERS } from '../../../src/models/backbones/vision-transformer.js';
import { HEADS } from '../../../src/models/heads/registry.js';
import { defineModel } from '../../../src/models/model.js';
import { ModelScope } from '../../../src/models/model-scope.js';
import { createWeightArenas } from '../../../src/models/weight-arenas.js';
import { testDevice } from '../../device.js';
import { expectDigest, relativeError } from '../../golden/digest.js';
import { goldenBatch, goldenModel } from '../../golden/model-golden.js';
import { VISION_TRANSFORMER_GOLDENS } from '../../golden/vit-golden.js';
import { runGolden } from '../run-golden.js';

/** The bound, as the L2 error of a tensor over its norm. */
const TOLERANCE = 1e-4;
const TIMEOUT = 200_000;

describe('vision transformers equal PyTorch', () => {
  for (const golden of VISION_TRANSFORMER_GOLDENS) {
    const name = `${golden.arch}, width ${golden.width}, images [${golden.images}]`;

    test(
      `${name}: logits, features, loss, every parameter gradient`,
      async () => {
        const expected = golden.eval;
        const actual = await runGolden(golden, 'train');
        expect(relativeError(actual.logits, expected.logits.flat())).toBeLessThan(TOLERANCE);
        expect(relativeError(actual.values.get('features')!, expected.features.flat())).toBeLessThan(
          TOLERANCE,
        );
        expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
        expect([...actual.gradients.keys()]).toEqual(Object.keys(expected.gradients));
        for (const [parameter, digest] of Object.entries(expected.gradients)) {
          expectDigest(parameter, actual.gradients.get(parameter)!.data as Float32Array, digest, TOLERANCE);
        }
      },
      TIMEOUT,
    );

    test(
      `${name}: the map`,
      async () => {
        const device = await testDevice();
        const { definition, weights } = goldenModel(golden);
        const { params, stats } = await createWeightArenas(device, definition, weights);
        const graph = new Graph();
        const map = VISION_TRANSFORMERS[golden.arch]!.encode(
          new ModelScope(graph, { mode: 'eval' }),
          graph.input('images', golden.images),
          definition.config,
        ).map();
        const program = await compile(device, { graph, outputs: [map], arenas: { params, stats } });
        program.run({ images: goldenBatch(golden).images });
        expectDigest('last map', await program.read(map), golden.eval.map['last map'], TOLERANCE);
        program.destroy();
        params.destroy();
        stats.destroy();
      },
      TIMEOUT,
    );
  }
});

const SMALL = { arch: 'vit_tiny_patch16_224', classes: 3, width: 24, imageSize: [32, 48] } as const;

test.each(HEADS.map(({ name }) => name))('the head %s reads a vision transformer', (head) => {
  const definition = defineModel({ ...SMALL, head });
  const graph = new Graph();
  const { logits, features } = definition.trace(graph, graph.input('images', [2, 32, 48, 1]), 'eval');
  expect([logits.shape, features.shape]).toEqual([
    [2, 3],
    [2, 24],
  ]);
});

describe('a vision transformer refuses', () => {
  test('images that are no whole patches', () => {
    expect(() => defineModel({ ...SMALL, imageSize: [48, 60] })).toThrow(
      'sides are multiples of 16 pixels, got 48 × 60',
    );
  });

  test('images of another size than it has positions for', () => {
    const graph = new Graph();
    expect(() => defineModel(SMALL).trace(graph, graph.input('images', [1, 48, 32, 1]), 'eval')).toThrow(
      'positions for images of 32 × 48 pixels, got 48 × 32',
    );
  });

  test('a width that its attention heads cannot share', () => {
    expect(() => defineModel({ ...SMALL, width: 25 })).toThrow('multiple of the 3 attention heads, got 25');
  });
});

test('layers count as in timm: embeddings, each block, the norm with the last of them, then the head', () => {
  const { parameters } = defineModel({ ...SMALL, arch: 'vit_base_patch14_reg4_dinov2', imageSize: [28, 28] });
  const layerOf = (name: string) => parameters.find((parameter) => parameter.name === name)?.layer;
  const first = ['cls_token', 'reg_token', 'pos_embed', 'patch_embed.proj.weight'];
  expect(first.map(layerOf)).toEqual([0, 0, 0, 0]);
  expect([layerOf('blocks.0.norm1.weight'), layerOf('blocks.11.ls2.gamma')]).toEqual([1, 12]);
  expect([layerOf('norm.weight'), layerOf('head.weight')]).toEqual([12, 13]);
});
