import { ShapeError } from '../../engine/errors.js';
import { at, type Tensor } from '../../engine/graph/tensor.js';
import { add, gelu, mul } from '../../kernels/pointwise/pointwise-table.js';
import { globalAveragePool } from '../../kernels/shape/pool.js';
import { type Initializer, ZEROS } from '../initializer.js';
import { placesOfMap } from '../landmarks.js';
import type { ModelScope } from '../model-scope.js';
import { type Architecture, type BackboneOptions, blockDropRate, type Stem } from './backbone.js';

/**
 * ConvNeXt (Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545) and ConvNeXt V2 (Woo et al., arXiv 2301.00808),
 * which replaces the layer scale by a global response normalisation. Forms, names and defaults are timm's; V1 below tiny
 * and the overlapping stems (`ols`) are timm's inventions.
 */
interface ConvNeXtConfig {
  readonly version: 1 | 2;
  /** Blocks of the four stages. */
  readonly depths: readonly [number, number, number, number];
  /** Channels of the first stage. */
  readonly width: number;
  /** What a state dict holds for the two layers of a block's perceptron; they compute the same. */
  readonly perceptron: 'conv' | 'linear';
  readonly stem?: Stem;
}

const SIZES = {
  atto: { depths: [2, 2, 6, 2], width: 40, perceptron: 'conv' },
  femto: { depths: [2, 2, 6, 2], width: 48, perceptron: 'conv' },
  pico: { depths: [2, 2, 6, 2], width: 64, perceptron: 'conv' },
  nano: { depths: [2, 2, 8, 2], width: 80, perceptron: 'conv' },
  tiny: { depths: [3, 3, 9, 3], width: 96, perceptron: 'linear' },
  small: { depths: [3, 3, 27, 3], width: 96, perceptron: 'linear' },
  base: { depths: [3, 3, 27, 3], width: 128, perceptron: 'linear' },
  large: { depths: [3, 3, 27, 3], width: 192, perceptron: 'linear' },
} as const;

/** Truncated at 100 deviations in timm, which is not truncated at all. */
const INITIAL: { weight: Initializer; bias: Initializer } = {
  weight: { kind: 'normal', deviation: 0.02 },
  bias: ZEROS,
};

export const CONVNEXTS: Readonly<Record<string, Architecture>> = {
  convnext_atto: convnext({ version: 1, ...SIZES.atto }),
  convnext_atto_ols: convnext({ version: 1, ...SIZES.atto, stem: 'overlap_tiered' }),
  convnext_femto: convnext({ version: 1, ...SIZES.femto }),
  convnext_femto_ols: convnext({ version: 1, ...SIZES.femto, stem: 'overlap_tiered' }),
  convnext_pico: convnext({ version: 1, ...SIZES.pico }),
  convnext_pico_ols: convnext({ version: 1, ...SIZES.pico, stem: 'overlap_tiered' }),
  convnext_nano: convnext({ version: 1, ...SIZES.nano }),
  convnext_nano_ols: convnext({ version: 1, ...SIZES.nano, stem: 'overlap' }),
  convnext_tiny: convnext({ version: 1, ...SIZES.tiny }),
  convnext_small: convnext({ version: 1, ...SIZES.small }),
  convnext_base: convnext({ version: 1, ...SIZES.base }),
  convnext_large: convnext({ version: 1, ...SIZES.large }),
  convnextv2_atto: convnext({ version: 2, ...SIZES.atto }),
  convnextv2_femto: convnext({ version: 2, ...SIZES.femto }),
  convnextv2_pico: convnext({ version: 2, ...SIZES.pico }),
  convnextv2_nano: convnext({ version: 2, ...SIZES.nano }),
  convnextv2_tiny: convnext({ version: 2, ...SIZES.tiny }),
  convnextv2_small: convnext({ version: 2, ...SIZES.small }),
  convnextv2_base: convnext({ version: 2, ...SIZES.base }),
  convnextv2_large: convnext({ version: 2, ...SIZES.large }),
};

const LAYER_SCALE: Initializer = { kind: 'constant', value: 1e-6 };

/** The stem divides the sides of an image by 4, and three of the stages halve them. */
const SMALLEST_IMAGE = 32;

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
    imageSize: [224, 224],
    encode(scope, images, options) {
      const map = featureMap(scope, images, config, options);
      scope.landmarks.places = placesOfMap(map);
      const norm = (x: Tensor) => scope.layerNorm('head.norm', x);
      return { features: () => norm(globalAveragePool(map)), map: () => norm(map) };
    },
    classifier: { name: 'head.fc', initial: INITIAL },
  };
}

function featureMap(
  scope: ModelScope,
  x: Tensor,
  config: ConvNeXtConfig,
  { stem, width, dropPathRate }: BackboneOptions,
): Tensor {
  if (Math.min(at(x.shape, 1), at(x.shape, 2)) < SMALLEST_IMAGE) {
    throw new ShapeError(
      `a ConvNeXt needs images of at least ${SMALLEST_IMAGE} pixels a side, got ${at(x.shape, 1)} × ${at(x.shape, 2)}`,
    );
  }
  let y = scope.within('stem', () => stemMap(scope, x, stem, width));
  const blocks = config.depths.reduce((sum, depth) => sum + depth);
  let done = 0;
  for (const [stage, depth] of config.depths.entries()) {
    scope.within(`stages.${stage}`, () => {
      scope.nextLayer();
      if (stage > 0) y = scope.within('downsample', () => downsample(scope, y, width * 2 ** stage));
      for (let index = 0; index < depth; index++) {
        if (index > 0) scope.nextLayer();
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
function block(
  scope: ModelScope,
  x: Tensor,
  { version, perceptron }: ConvNeXtConfig,
  dropRate: number,
): Tensor {
  const channels = at(x.shape, 3);
  // Asked for first since a state dict lists a module's own parameters before those of its parts.
  const layerScale = version === 1 ? scope.parameter('gamma', [channels], 'same', LAYER_SCALE) : undefined;
  const dense = (name: string, input: Tensor, outputs: number) =>
    perceptron === 'conv'
      ? scope.conv(name, input, outputs, 1, INITIAL)
      : scope.linear(name, input, outputs, INITIAL);
  let y = scope.conv('conv_dw', x, channels, 7, { padding: 3, groups: channels, ...INITIAL });
  y = scope.layerNorm('norm', y);
  y = scope.within('mlp', () => {
    const hidden = gelu(dense('fc1', y, channels * EXPANSION));
    return dense('fc2', version === 2 ? scope.globalResponseNorm('grn', hidden) : hidden, channels);
  });
  if (layerScale) y = mul(y, layerScale);
  return add(scope.dropPath(y, dropRate), x);
}

/** Half of `width` as a multiple of 8, at least 8 and at least 90 % of the half (timm's make_divisible). */
function halfInEights(width: number): number {
  const rounded = Math.max(8, Math.floor((width / 2 + 4) / 8) * 8);
  return rounded < 0.45 * width ? rounded + 8 : rounded;
}
