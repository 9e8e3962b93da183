import { describe, expect, test } from 'vitest';
import { HEADS } from '../../src/models/heads/registry.js';
import { defineModel } from '../../src/models/model.js';
import { modelCost } from '../../src/models/model-cost.js';

const cost = (arch: string, size: readonly [number, number] = [224, 224], head = 'linear') =>
  modelCost(defineModel({ arch, head, classes: 1000, inChannels: 3 }), size);

describe('costs are those that timm publishes (results/benchmark-infer, 224 pixels)', () => {
  test.each([
    ['resnet18', 1.82, 2.48],
    ['resnet34', 3.67, 3.74],
    ['resnet34d', 3.91, 4.54],
    ['resnet50', 4.11, 11.11],
    ['resnet50d', 4.35, 11.92],
    ['resnet101', 7.83, 16.23],
    ['resnet152', 11.56, 22.56],
    ['convnext_atto', 0.55, 3.81],
    ['convnext_nano', 2.46, 8.37],
    ['convnext_tiny', 4.47, 13.44],
    ['convnext_small', 8.71, 21.56],
    ['convnext_base', 15.38, 28.75],
    ['convnext_large', 34.4, 43.13],
    ['convnextv2_atto', 0.55, 3.81],
    ['convnextv2_base', 15.38, 28.75],
    ['convnextv2_large', 34.4, 43.13],
  ])('%s: %d GMACs, %d M activations', (arch, gmacs, activations) => {
    const found = cost(arch);
    expect(found.multiplyAdds / 1e9).toBeCloseTo(gmacs, 2);
    expect(found.activations / 1e6).toBeCloseTo(activations, 2);
  });
});

test('they grow with the image, and every head has its part', () => {
  expect(cost('resnet18', [448, 224]).multiplyAdds / cost('resnet18').multiplyAdds).toBeCloseTo(2, 2);
  // what any head does with 512 features for 1,000 classes is a product at least
  for (const { name } of HEADS) {
    const [head, none] = [cost('resnet18', [224, 224], name), cost('resnet18').multiplyAdds - 512_000];
    expect(head.multiplyAdds - none, name).toBeGreaterThanOrEqual(512_000);
  }
});
