import { beforeEach, describe, test } from 'vitest';
import { architectures } from '../../src/models/model.js';
import { expectSameInOnnx } from './both-ways.js';
import { MISSING, runtime } from './onnx-runtime.js';

beforeEach(({ skip }) => skip(!runtime, MISSING));

describe('an exported network gives our logits and features in ONNX Runtime', () => {
  test.each(architectures())('%s, narrow, odd image size', async (arch) => {
    await expectSameInOnnx({ arch, classes: 5, width: 8 }, [65, 83]);
  });
});
