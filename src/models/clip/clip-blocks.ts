import type { Tensor } from '../../engine/graph/tensor.js';
import type { ModelScope } from '../model-scope.js';
import { type Activation, OPEN_CLIP_BLOCK, transformerBlock } from '../transformer/block.js';
import type { TransformerSizes } from './clip-config.js';

/** Of all norms of a CLIP. */
export const CLIP_EPSILON = 1e-5;

/** The blocks of a tower, one after the other. @param x [n, tokens, width] @returns the same shape */
export function clipBlocks(
  scope: ModelScope,
  x: Tensor,
  { layers, heads, hidden }: TransformerSizes,
  { activation, causal }: { readonly activation: Activation; readonly causal: boolean },
): Tensor {
  const options = { names: OPEN_CLIP_BLOCK, heads, hidden, activation, epsilon: CLIP_EPSILON, causal };
  let y = x;
  for (let layer = 0; layer < layers; layer++) {
    y = scope.within(`transformer.resblocks.${layer}`, () => transformerBlock(scope, y, options));
  }
  return y;
}
