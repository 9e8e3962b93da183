import { describe, expect, test } from 'vitest';
import { defineModel, parameterCount } from '../../src/models/model.js';

describe('parameter counts are timm’s', () => {
  test.each([
    ['convnext_atto', 3.7],
    ['convnext_atto_ols', 3.7],
    ['convnext_femto', 5.22],
    ['convnext_femto_ols', 5.23],
    ['convnext_pico', 9.05],
    ['convnext_pico_ols', 9.06],
    ['convnext_nano', 15.59],
    ['convnext_nano_ols', 15.65],
    ['convnext_tiny', 28.59],
    ['convnext_small', 50.22],
    ['convnext_base', 88.59],
    ['convnext_large', 197.77],
  ])('%s has %d million', (arch, millions) => {
    const count = parameterCount(defineModel({ arch, classes: 1000, inChannels: 3 })) / 1e6;
    expect(Math.round(count * 100) / 100).toBe(millions);
  });
});

test('a stem of another family is refused with those that there are', () => {
  expect(() => defineModel({ arch: 'convnext_atto', classes: 3, stem: 'small' })).toThrow(
    'convnext_atto has no stem "small"; model.stem may be patch, overlap, overlap_tiered',
  );
});
