import { at, type Tensor } from '../../engine/graph/tensor.js';
import { lookup } from '../../kernels/lookup/lookup.js';
import { l2Normalize } from '../../kernels/norm/l2-normalize.js';
import { add } from '../../kernels/pointwise/pointwise-table.js';
import { reshape } from '../../kernels/shape/reshape.js';
import type { ModelScope } from '../model-scope.js';
import { defineNetwork, type Network } from '../network.js';
import { CLIP_EPSILON, clipBlocks } from './clip-blocks.js';
import type { ClipConfig } from './clip-config.js';

/** The table of token embeddings, [vocabulary, width]. */
export const TOKEN_TABLE = 'token_embedding.weight';

/**
 * A CLIP's text tower: tokens see those before them, and the token that ends a text, normalised and projected, is the
 * text's embedding. Names are open_clip's.
 *
 * `ends` are the places of the first end-of-text token among all tokens of the batch: text · context + place.
 */
export function textTower(config: ClipConfig): Network<'tokens' | 'ends', 'embedding'> {
  const { context, vocabulary, width } = config.text;
  return defineNetwork(
    { tokens: { shape: [context], dtype: 'u32' }, ends: { shape: [], dtype: 'u32' } },
    (scope, { tokens, ends }) => {
      const table = scope.parameter(TOKEN_TABLE, [vocabulary, width], 'same', {
        kind: 'normal',
        deviation: 0.02,
      });
      return { embedding: l2Normalize(features(scope, lookup(table, tokens), ends, config)) };
    },
  );
}

/**
 * The same with the tokens looked up already: where the tower is frozen the host does it, and the table, the largest of
 * all tensors, which may be larger than a binding, takes no memory on the device.
 * `embedded` are the tokens' rows of the table, [n, context, width].
 */
export function embeddedTextTower(config: ClipConfig): Network<'embedded' | 'ends', 'embedding'> {
  const { context, width } = config.text;
  return defineNetwork(
    { embedded: { shape: [context, width], dtype: 'f32' }, ends: { shape: [], dtype: 'u32' } },
    (scope, { embedded, ends }) => ({ embedding: l2Normalize(features(scope, embedded, ends, config)) }),
  );
}

/** @param embedded [n, context, width] @param ends [n] @returns [n, embedding], of any length */
function features(
  scope: ModelScope,
  embedded: Tensor,
  ends: Tensor,
  { text, embedding, activation }: ClipConfig,
): Tensor {
  const { context, width } = text;
  const positions = scope.parameter('positional_embedding', [context, width], 'same', {
    kind: 'normal',
    deviation: 0.01,
  });
  const x = clipBlocks(scope, add(embedded, positions), text, { activation, causal: true });
  // The norm works token by token: only the tokens that are kept need it.
  const pooled = lookup(reshape(x, [at(x.shape, 0) * context, width]), ends);
  return scope.projection(
    'text_projection',
    scope.layerNorm('ln_final', pooled, { epsilon: CLIP_EPSILON }),
    embedding,
    { kind: 'normal', deviation: width ** -0.5 },
  );
}
