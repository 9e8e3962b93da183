import { beforeEach, describe, test } from 'vitest';
import { HEADS } from '../../src/models/heads/registry.js';
import { architectures } from '../../src/models/model.js';
import { narrow } from '../models/narrow.js';
import { expectSameInOnnx } from './both-ways.js';
import { MISSING, runtime } from './onnx-runtime.js';

beforeEach(({ skip }) => skip(!runtime, MISSING));

describe('an exported network gives our logits and features in ONNX Runtime', () => {
  test.each(architectures())('%s, narrow, odd image size', async (arch) => {
    const config = narrow(arch);
    await expectSameInOnnx({ ...config, classes: 5 }, config.imageSize ?? [65, 83]);
  });

  const heads = [...HEADS.map(({ name }) => ({ name })), { name: 'csra_original', heads: 4 }];

  test.each(heads)('resnet10, convnextv2_atto and vit_tiny with the head %o', async (head) => {
    for (const arch of ['resnet10', 'convnextv2_atto', 'vit_tiny_patch16_224']) {
      const config = narrow(arch);
      await expectSameInOnnx({ ...config, classes: 5, head }, config.imageSize ?? [65, 83]);
    }
  });

  test('resnet10 with a projection head whose classes are prompts', async () => {
    const head = {
      name: 'projection',
      dims: 16,
      bias: true,
      embeddings: 'words',
      buckets: 64,
      wordHidden: 8,
    };
    const prompts = [['a mass', 'a round opacity'], ['a large heart'], ['air below the diaphragm']];
    const config = { ...narrow('resnet10'), classes: 3, head, prompts };
    await expectSameInOnnx(config, [65, 83]);
  });

  test.each([
    ['resnet18', [97, 131], { inChannels: 3 }],
    ['convnext_atto', [97, 131], { inChannels: 1 }],
    ['convnextv2_atto', [64, 64], { inChannels: 1 }],
  ] as const)('%s as published', async (arch, imageSize, options) => {
    await expectSameInOnnx({ arch, classes: 14, ...options }, imageSize);
  });

  test.each(['resnet18', 'resnet18d', 'convnext_atto_ols', 'convnextv2_atto'])(
    '%s at another image size than it was exported for',
    async (arch) => {
      await expectSameInOnnx({ arch, classes: 3, width: 8 }, [64, 64], {
        anyImageSize: true,
        runAt: [65, 83],
      });
    },
  );
});
