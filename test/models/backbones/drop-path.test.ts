import { describe, expect, test } from 'vitest';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { blockDropRate } from '../../../src/models/backbones/backbone.js';
import { defineModel } from '../../../src/models/model.js';
import { ModelScope } from '../../../src/models/model-scope.js';
import { evaluate } from '../../device.js';

const IMAGES = 2000;
const PIXELS = 6;

/** What each image's branch is multiplied by in two blocks of rate `p`, and the slope of the first. */
async function factors(p: number) {
  const branch = { shape: [IMAGES, 1, 2, 3], values: new Float32Array(IMAGES * PIXELS).fill(1) };
  const results = await evaluate(
    [branch, { shape: [2], values: Uint32Array.of(5, 6) }],
    ([x, seed], graph) => {
      const scope = new ModelScope(graph, { mode: 'train', dropoutSeed: seed });
      const [first, second] = [scope.dropPath(x!, p), scope.dropPath(x!, p)];
      return [first, second, ...grad(first, [x!])];
    },
  );
  return results as [Float32Array, Float32Array, Float32Array];
}

describe('stochastic depth', () => {
  test('leaves a branch out for whole images, at its rate, and scales it for the others', async () => {
    const [first, , slope] = await factors(0.25);
    let dropped = 0;
    for (let image = 0; image < IMAGES; image++) {
      const values = new Set(first.subarray(image * PIXELS, (image + 1) * PIXELS));
      expect(values.size).toBe(1);
      const [value] = values;
      if (value === 0) dropped++;
      else expect(value).toBeCloseTo(1 / 0.75, 6);
    }
    expect(Math.abs(dropped / IMAGES - 0.25)).toBeLessThan(4.5 * Math.sqrt((0.25 * 0.75) / IMAGES));
    expect(slope).toEqual(first);
  });

  test('blocks are left out independently', async () => {
    const [first, second] = await factors(0.5);
    let alike = 0;
    for (let i = 0; i < first.length; i += PIXELS) alike += Number(first[i] === second[i]);
    expect(Math.abs(alike / IMAGES - 0.5)).toBeLessThan(4.5 * Math.sqrt(0.25 / IMAGES));
  });

  test('the rate rises linearly from the first block to the last', () => {
    expect([0, 1, 2, 3, 4].map((block) => blockDropRate(0.2, block, 5))).toEqual([
      0,
      0.05,
      0.1,
      0.2 * 0.75,
      0.2,
    ]);
    expect(blockDropRate(0.2, 0, 1)).toBe(0);
  });

  test.each(['resnet18', 'convnext_atto', 'convnextv2_atto'])(
    '%s: every residual block but the first, in training only',
    (arch) => {
      const masks = (mode: 'train' | 'eval', dropPathRate: number) => {
        const definition = defineModel({ arch, classes: 2, width: 4, dropPathRate });
        const graph = new Graph();
        const dropoutSeed = graph.input('dropoutSeed', [2], 'u32');
        definition.trace(graph, graph.input('images', [2, 64, 64, 1]), mode, { dropoutSeed });
        return graph.nodes.filter(({ inputs }) => inputs.includes(dropoutSeed)).length;
      };
      const blocks = arch === 'resnet18' ? 8 : 12;
      expect(masks('train', 0.1)).toBe(blocks - 1);
      expect(masks('eval', 0.1)).toBe(0);
      expect(masks('train', 0)).toBe(0);
    },
  );
});
