import { at, type Tensor } from '../../engine/graph/tensor.js';
import { l2Normalize } from '../../kernels/norm/l2-normalize.js';
import { add, broadcastTo } from '../../kernels/pointwise/pointwise-table.js';
import { concat, slice } from '../../kernels/shape/movement.js';
import { reshape } from '../../kernels/shape/reshape.js';
import type { Initializer } from '../initializer.js';
import type { ModelScope } from '../model-scope.js';
import { defineNetwork, type Network } from '../network.js';
import { CLIP_EPSILON, clipBlocks } from './clip-blocks.js';
import type { ClipConfig } from './clip-config.js';

/**
 * A CLIP's image tower: a vision transformer whose class token, normalised and projected, is the image's embedding.
 * Names are open_clip's.
 */
export function imageTower(config: ClipConfig): Network<'images', 'embedding'> {
  return defineNetwork(
    { images: { shape: [...config.image.size, 3], dtype: 'f32' } },
    (scope, { images }) => ({
      embedding: l2Normalize(scope.within('visual', () => features(scope, images, config))),
    }),
  );
}

/** @param images [n, h, w, 3], normalised @returns [n, embedding], of any length */
function features(scope: ModelScope, images: Tensor, { image, embedding, activation }: ClipConfig): Tensor {
  const { width, patch, size } = image;
  const n = at(images.shape, 0);
  const patches = (size[0] / patch) * (size[1] / patch);
  const normal: Initializer = { kind: 'normal', deviation: width ** -0.5 };
  const classToken = scope.parameter('class_embedding', [width], 'same', normal);
  const positions = scope.parameter('positional_embedding', [patches + 1, width], 'same', normal);
  const map = scope.conv('conv1', images, width, patch, { stride: patch });
  const tokens = concat([broadcastTo(classToken, [n, 1, width]), reshape(map, [n, patches, width])], 1);
  const normalized = scope.layerNorm('ln_pre', add(tokens, positions), { epsilon: CLIP_EPSILON });
  const x = clipBlocks(scope, normalized, image, { activation, causal: false });
  const pooled = reshape(slice(x, [0, 0, 0], [n, 1, width]), [n, width]);
  return scope.projection(
    'proj',
    scope.layerNorm('ln_post', pooled, { epsilon: CLIP_EPSILON }),
    embedding,
    normal,
  );
}
