import { at, type Tensor } from '../engine/tensor.js';
import { add, gelu, mul } from '../kernels/pointwise-table.js';
import { globalAveragePool } from '../kernels/pool.js';
import { type Architecture, type BackboneOptions, blockDropRate, type Stem } from './backbone.js';
import { type Initializer, type ModelScope, ZEROS } from './model-scope.js';

/**
 * ConvNeXt (Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545) in timm's forms, names and defaults; the sizes
 * below tiny and the overlapping stems are timm's own. Its 1×1 convolutions and linear layers compute the same thing
 * here, but their weights have different shapes in a state dict.
 */
interface ConvNeXtConfig {
  /** Blocks of the four stages. */
  readonly depths: readonly [number, number, number, number];
  readonly width: number;
  readonly stem?: Stem;
  /** What the two layers of a block's perceptron are called in a state dict. */
  readonly perceptron: 'conv' | 'linear';
}

export const CONVNEXTS: Readonly<Record<string, Architecture>> = {
  convnext_atto: convnext({ depths: [2, 2, 6, 2], width: 40, perceptron: 'conv' }),
  convnext_atto_ols: convnext({
    depths: [2, 2, 6, 2],
    width: 40,
    perceptron: 'conv',
    stem: 'overlap_tiered',
  }),
  convnext_femto: convnext({ depths: [2, 2, 6, 2], width: 48, perceptron: 'conv' }),
  convnext_femto_ols: convnext({
    depths: [2, 2, 6, 2],
    width: 48,
    perceptron: 'conv',
    stem: 'overlap_tiered',
  }),
  convnext_pico: convnext({ depths: [2, 2, 6, 2], width: 64, perceptron: 'conv' }),
  convnext_pico_ols: convnext({
    depths: [2, 2, 6, 2],
    width: 64,
    perceptron: 'conv',
    stem: 'overlap_tiered',
  }),
  convnext_nano: convnext({ depths: [2, 2, 8, 2], width: 80, perceptron: 'conv' }),
  convnext_nano_ols: convnext({ depths: [2, 2, 8, 2], width: 80, perceptron: 'conv', stem: 'overlap' }),
  convnext_tiny: convnext({ depths: [3, 3, 9, 3], width: 96, perceptron: 'linear' }),
  convnext_small: convnext({ depths: [3, 3, 27, 3], width: 96, perceptron: 'linear' }),
  convnext_base: convnext({ depths: [3, 3, 27, 3], width: 128, perceptron: 'linear' }),
  convnext_large: convnext({ depths: [3, 3, 27, 3], width: 192, perceptron: 'linear' }),
};

/** Truncated at 100 deviations in timm, which is not truncated at all. */
const INITIAL: { weight: Initializer; bias: Initializer } = {
  weight: { kind: 'normal', deviation: 0.02 },
  bias: ZEROS,
};

/** Of the layer scale. */
const SMALL: Initializer = { kind: 'constant', value: 1e-6 };

/** Channels inside a block's perceptron for each one outside. */
const EXPANSION = 4;

function convnext(config: ConvNeXtConfig): Architecture {
  return {
    /**
     * `patch`: 4×4 stride 4; `overlap`: two 3×3 of stride 2; `overlap_tiered`: the same with about half the channels
     * between them.
     */
    stems: ['patch', 'overlap', 'overlap_tiered'],
    stem: config.stem ?? 'patch',
    width: config.width,
    featureMap: (scope, images, options) => featureMap(scope, images, config, options),
    pool: (scope, map) => scope.within('head', () => scope.layerNorm('norm', globalAveragePool(map))),
    classifier: (scope, features, classes) =>
      scope.within('head', () => scope.linear('fc', features, classes, INITIAL)),
  };
}

function featureMap(
  scope: ModelScope,
  x: Tensor,
  config: ConvNeXtConfig,
  { stem, width, dropPathRate }: BackboneOptions,
): Tensor {
  let y = scope.within('stem', () => stemMap(scope, x, stem, width));
  const blocks = config.depths.reduce((sum, depth) => sum + depth);
  let done = 0;
  for (const [stage, depth] of config.depths.entries()) {
    scope.within(`stages.${stage}`, () => {
      if (stage > 0) y = scope.within('downsample', () => downsample(scope, y, width * 2 ** stage));
      for (let index = 0; index < depth; index++) {
        const dropRate = blockDropRate(dropPathRate, done++, blocks);
        y = scope.within(`blocks.${index}`, () => block(scope, y, config, dropRate));
      }
    });
  }
  return y;
}

function stemMap(scope: ModelScope, x: Tensor, stem: Stem, width: number): Tensor {
  if (stem === 'patch') {
    return scope.layerNorm('1', scope.conv('0', x, width, 4, { stride: 4, ...INITIAL }));
  }
  const between = stem === 'overlap_tiered' ? halfInEights(width) : width;
  const y = scope.conv('0', x, between, 3, { stride: 2, padding: 1, ...INITIAL });
  return scope.layerNorm('2', scope.conv('1', y, width, 3, { stride: 2, padding: 1, ...INITIAL }));
}

function downsample(scope: ModelScope, x: Tensor, outputs: number): Tensor {
  return scope.conv('1', scope.layerNorm('0', x), outputs, 2, { stride: 2, ...INITIAL });
}

/** @param x [n, h, w, c] @returns the same shape */
function block(scope: ModelScope, x: Tensor, { perceptron }: ConvNeXtConfig, dropRate: number): Tensor {
  const channels = at(x.shape, 3);
  // Asked for first since a state dict lists a module's own parameters before those of its parts.
  const gamma = scope.parameter('gamma', [channels], 'vector', SMALL);
  const dense = (name: string, input: Tensor, outputs: number) =>
    perceptron === 'conv'
      ? scope.conv(name, input, outputs, 1, INITIAL)
      : scope.linear(name, input, outputs, INITIAL);
  let y = scope.conv('conv_dw', x, channels, 7, { padding: 3, groups: channels, ...INITIAL });
  y = scope.layerNorm('norm', y);
  y = scope.within('mlp', () => dense('fc2', gelu(dense('fc1', y, channels * EXPANSION)), channels));
  return add(scope.dropPath(mul(y, gamma), dropRate), x);
}

/** Half of `width` as a multiple of 8, at least 8 and at least 90 % of the half (timm's make_divisible). */
function halfInEights(width: number): number {
  const rounded = Math.max(8, Math.floor((width / 2 + 4) / 8) * 8);
  return rounded < 0.45 * width ? rounded + 8 : rounded;
}
