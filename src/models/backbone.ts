import type { Tensor } from '../engine/tensor.js';
import type { ModelScope } from './model-scope.js';

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
  /** @param images [n, h, w, c] @returns [n, h', w', f] */
  featureMap(scope: ModelScope, images: Tensor, options: BackboneOptions): Tensor;
  /** What timm calls the pre-logits. @param map [n, h', w', f] @returns [n, f] */
  pool(scope: ModelScope, map: Tensor): Tensor;
  /** @param features [n, f] @returns logits [n, classes] */
  classifier(scope: ModelScope, features: Tensor, classes: number): Tensor;
}

export interface BackboneOptions {
  readonly stem: Stem;
  readonly width: number;
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

/** How an image becomes the first stage's map; resnet.ts and convnext.ts say what each name means. */
export type Stem = (typeof STEMS)[number];

/**
 * The rate at which a residual block is dropped: none for the first, rising linearly to `rate` for the last (Huang et
 * al., "Deep Networks with Stochastic Depth", arXiv 1603.09382, eq. 4, in timm's count from 0).
 */
export function blockDropRate(rate: number, block: number, blocks: number): number {
  return blocks > 1 ? (rate * block) / (blocks - 1) : 0;
}
