import { ShapeError } from '../../engine/errors.js';
import { at, type Tensor } from '../../engine/graph/tensor.js';
import { add, broadcastTo } from '../../kernels/pointwise/pointwise-table.js';
import { concat, slice } from '../../kernels/shape/movement.js';
import { reshape } from '../../kernels/shape/reshape.js';
import { type Initializer, ZEROS } from '../initializer.js';
import { placesOfMap } from '../landmarks.js';
import { ModelError } from '../model-error.js';
import type { ModelScope } from '../model-scope.js';
import { TIMM_BLOCK, transformerBlock } from '../transformer/block.js';
import {
  type Architecture,
  type BackboneOptions,
  blockDropRate,
  type Encoded,
  type ImageSize,
} from './backbone.js';

/**
 * Vision transformers (Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv 2010.11929) in timm's form and naming:
 * patches become tokens behind a class token, whose values after the last norm are the image's features. DINOv2's
 * (Oquab et al., arXiv 2304.07193) scale each branch, and may have registers (Darcet et al., arXiv 2309.16588): tokens
 * of no meaning of their own, which leave the patches' tokens clean.
 */
interface VisionTransformerConfig {
  /** Pixels a side. */
  readonly patch: number;
  /** Of an image of the published network, pixels a side. */
  readonly side: number;
  readonly width: number;
  readonly blocks: number;
  readonly heads: number;
  /** Where each branch's scale starts; absent: branches are not scaled. */
  readonly layerScale?: number;
  /** How many; with them, only patches have positions. Absent: none. */
  readonly registers?: number;
}

const TINY = { width: 192, blocks: 12, heads: 3 };
const SMALL = { width: 384, blocks: 12, heads: 6 };
const BASE = { width: 768, blocks: 12, heads: 12 };
const IMAGENET = { patch: 16, side: 224 };
const DINOV2 = { patch: 14, side: 518, layerScale: 1e-5 };

/** timm's truncation at ±2 is 100 deviations away, which is none at all. */
const WEIGHTS: Initializer = { kind: 'normal', deviation: 0.02 };
const LAYER = { weight: WEIGHTS, bias: ZEROS };
const TOKEN: Initializer = { kind: 'normal', deviation: 1e-6 };

/** Of all norms. */
const EPSILON = 1e-6;

/** Channels inside a block's perceptron for each one outside. */
const EXPANSION = 4;

export const VISION_TRANSFORMERS: Readonly<Record<string, Architecture>> = {
  vit_tiny_patch16_224: visionTransformer({ ...TINY, ...IMAGENET }),
  vit_small_patch16_224: visionTransformer({ ...SMALL, ...IMAGENET }),
  vit_base_patch16_224: visionTransformer({ ...BASE, ...IMAGENET }),
  vit_base_patch14_dinov2: visionTransformer({ ...BASE, ...DINOV2 }),
  vit_base_patch14_reg4_dinov2: visionTransformer({ ...BASE, ...DINOV2, registers: 4 }),
};

function visionTransformer(config: VisionTransformerConfig): Architecture {
  return {
    /** `patch`: one convolution whose stride is its size. */
    stems: ['patch'],
    stem: 'patch',
    width: config.width,
    imageSize: [config.side, config.side],
    encode: (scope, images, options) => encode(scope, images, config, options),
    classifier: { name: 'head', initial: LAYER },
  };
}

function encode(
  scope: ModelScope,
  images: Tensor,
  config: VisionTransformerConfig,
  options: BackboneOptions,
): Encoded {
  const { heads, blocks, layerScale, registers = 0 } = config;
  const { width, dropPathRate } = options;
  const [rows, columns] = gridOf(images, config, options);
  let x = embed(scope, images, [rows, columns], { ...config, width });
  for (let index = 0; index < blocks; index++) {
    scope.nextLayer();
    x = scope.within(`blocks.${index}`, () =>
      transformerBlock(scope, x, {
        names: TIMM_BLOCK,
        heads,
        hidden: width * EXPANSION,
        activation: 'gelu',
        epsilon: EPSILON,
        ...(layerScale !== undefined && { layerScale }),
        dropRate: blockDropRate(dropPathRate, index, blocks),
        initial: { qkv: WEIGHTS, output: WEIGHTS, fc1: LAYER, fc2: LAYER },
      }),
    );
  }
  const n = at(images.shape, 0);
  // Here, not where tokens are read, since timm counts it to the last block's layer.
  const normalized = scope.layerNorm('norm', x, { epsilon: EPSILON });
  const tokens = (first: number, count: number) => slice(normalized, [0, first, 0], [n, count, width]);
  return {
    features: () => {
      // Behind the last block only the class token is read: what other tokens say goes through that block's attention.
      const last = at(scope.landmarks.attentions, -1);
      scope.landmarks.places = { values: last.reads, grid: { prefix: 1 + registers, rows, columns } };
      return reshape(tokens(0, 1), [n, width]);
    },
    map: () => {
      const map = reshape(tokens(1 + registers, rows * columns), [n, rows, columns, width]);
      scope.landmarks.places = placesOfMap(map);
      return map;
    },
  };
}

/** @returns [n, class token + registers + patches, width] */
function embed(
  scope: ModelScope,
  images: Tensor,
  [rows, columns]: ImageSize,
  { patch, registers = 0, width }: VisionTransformerConfig,
): Tensor {
  const patches = rows * columns;
  const [n, , , channels] = images.shape as [number, number, number, number];
  const token = (name: string, count: number) =>
    broadcastTo(scope.embedding(name, [1, count, width], TOKEN), [n, count, width]);
  // Asked for first since a state dict lists a module's own parameters before those of its parts.
  const classToken = token('cls_token', 1);
  const others = registers > 0 ? [token('reg_token', registers)] : [];
  const prefix = registers > 0 ? 0 : 1;
  const grid = { prefix, rows, columns };
  const positions = scope.embedding('pos_embed', [1, prefix + patches, width], WEIGHTS, grid);
  // PyTorch's default for a convolution, as timm leaves it
  const inputs: Initializer = { kind: 'uniform', bound: 1 / Math.sqrt(patch * patch * channels) };
  const map = scope.within('patch_embed', () =>
    scope.conv('proj', images, width, patch, { stride: patch, weight: inputs, bias: inputs }),
  );
  const sequence = reshape(map, [n, patches, width]);
  const joined = (x: Tensor) => concat([classToken, ...others, x], 1);
  return prefix === 0 ? joined(add(sequence, positions)) : add(joined(sequence), positions);
}

/** Patches of an image, down and across. @throws ModelError; ShapeError for images of another size than the model's */
function gridOf(
  images: Tensor,
  { patch, heads }: VisionTransformerConfig,
  { imageSize, width }: BackboneOptions,
): ImageSize {
  const [height, across] = imageSize;
  if (height % patch !== 0 || across % patch !== 0) {
    throw new ModelError(
      `a vision transformer with patches of ${patch} × ${patch} needs images whose sides are multiples of ${patch} pixels, ` +
        `got ${height} × ${across}`,
    );
  }
  if (width % heads !== 0) {
    throw new ModelError(`model.width must be a multiple of the ${heads} attention heads, got ${width}`);
  }
  if (at(images.shape, 1) !== height || at(images.shape, 2) !== across) {
    throw new ShapeError(
      `this vision transformer has positions for images of ${height} × ${across} pixels, got ${at(images.shape, 1)} × ` +
        `${at(images.shape, 2)}: define the model with that imageSize`,
    );
  }
  return [height / patch, across / patch];
}
