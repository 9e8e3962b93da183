import { describe, expect, test } from 'vitest';
import { architectures, defineModel, parameterCount } from '../../../src/models/model.js';
import { timmShapes } from '../../../src/models/weights/timm-weights.js';
import { readGolden } from '../../golden/golden-files.js';

/** timm's own state dicts, written by make_timm_shapes.py. */
const timm = readGolden<{ architectures: Record<string, Record<string, number[]>> }>('timm-shapes.json.gz');

const definition = (arch: string) => defineModel({ arch, classes: 1000, inChannels: 3 });

describe('state dicts are timm’s', () => {
  test('every architecture is compared, but for the one that timm has not', () => {
    expect([...Object.keys(timm.architectures), 'resnet10'].sort()).toEqual(architectures().sort());
  });

  test.each(Object.entries(timm.architectures))('%s: every name and shape', (arch, shapes) => {
    expect(Object.fromEntries(timmShapes(definition(arch)))).toEqual(shapes);
  });

  test.each(Object.entries(timm.architectures))('%s: parameters in the same order', (arch, shapes) => {
    const names = Object.keys(shapes).filter((name) => !/running_(mean|var)$/.test(name));
    expect(definition(arch).parameters.map(({ name }) => name)).toEqual(names);
  });
});

test.each([
  ['resnet18', 11.69],
  ['resnet18d', 11.71],
  ['resnet34', 21.8],
  ['resnet34d', 21.82],
  ['resnet50', 25.56],
  ['resnet50d', 25.58],
  ['resnet101', 44.55],
  ['resnet101d', 44.57],
  ['resnet152', 60.19],
  ['resnet152d', 60.21],
  ['densenet121', 7.98],
  ['vit_tiny_patch16_224', 5.72],
  ['vit_small_patch16_224', 22.05],
  ['vit_base_patch16_224', 86.57],
  ['vit_base_patch14_dinov2', 87.35],
  ['convnext_atto', 3.7],
  ['convnext_femto', 5.22],
  ['convnext_pico', 9.05],
  ['convnext_nano', 15.59],
  ['convnext_tiny', 28.59],
  ['convnext_small', 50.22],
  ['convnext_base', 88.59],
  ['convnext_large', 197.77],
  ['convnextv2_atto', 3.71],
  ['convnextv2_femto', 5.23],
  ['convnextv2_pico', 9.07],
  ['convnextv2_nano', 15.62],
  ['convnextv2_tiny', 28.64],
  ['convnextv2_base', 88.72],
  ['convnextv2_large', 197.96],
])('%s has the published %d million parameters', (arch, millions) => {
  expect(Math.round(parameterCount(definition(arch)) / 1e4) / 100).toBe(millions);
});
