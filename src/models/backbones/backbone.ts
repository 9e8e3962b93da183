import type { Tensor } from '../../engine/graph/tensor.js';
import type { LayerInitializers, ModelScope } from '../model-scope.js';

/**
 * What a family of networks says of each of its architectures: the three parts that every classifier here is made of,
 * and the options that it leaves open. model.ts puts the parts together and knows no family.
 */
export interface Architecture {
  /** Stems that the network can begin with. */
  readonly stems: readonly Stem[];
  /** The published network's. */
  readonly stem: Stem;
  /** Channels of the first stage of the published network; doubled at each of the others. */
  readonly width: number;
  /** [height, width] of the images that the published network was made for. */
  readonly imageSize: ImageSize;
  /** @param images [n, h, w, c] */
  encode(scope: ModelScope, images: Tensor, options: BackboneOptions): Encoded;
  readonly classifier: LinearClassifier;
}

/** [height, width] in pixels */
export type ImageSize = readonly [number, number];

/**
 * What a backbone makes of images, in the two forms that heads read. The norm between the backbone and its classifier, if
 * there is one, is applied in both. Each is traced when it is asked for, and only one is: both own that norm.
 */
export interface Encoded {
  /** [n, f], what timm calls the pre-logits. */
  features(): Tensor;
  /** [n, h', w', f], as timm's `global_pool=''`. */
  map(): Tensor;
}

/** The linear layer that a network was published with. */
export interface LinearClassifier {
  /** timm's name of the layer. */
  readonly name: string;
  readonly initial?: LayerInitializers;
}

export interface BackboneOptions {
  readonly stem: Stem;
  readonly width: number;
  readonly imageSize: ImageSize;
  /** Of the last residual block; see `blockDropRate`. */
  readonly dropPathRate: number;
}

export const STEMS = [
  'imagenet',
  'deep',
  'small',
  'small-stride2',
  'patch',
  'overlap',
  'overlap_tiered',
] as const;

/** How an image becomes the first stage's map; the file of each family says what its names mean. */
export type Stem = (typeof STEMS)[number];

/**
 * The rate at which a residual block is dropped: none for the first, rising linearly to `rate` for the last (Huang et
 * al., "Deep Networks with Stochastic Depth", arXiv 1603.09382, eq. 4, in timm's count from 0).
 */
export function blockDropRate(rate: number, block: number, blocks: number): number {
  return blocks > 1 ? (rate * block) / (blocks - 1) : 0;
}
