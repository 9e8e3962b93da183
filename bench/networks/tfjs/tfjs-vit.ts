import { at } from '#src/engine/graph/tensor.js';
import type { TfTensor } from '../../contenders/tfjs.js';
import { gelu } from './tfjs-gelu.js';
import type { TfjsScope } from './tfjs-scope.js';

/** Vision transformers as src/models/backbones/vision-transformer.ts traces them, without registers and layer scale. */

interface VisionTransformer {
  readonly patch: number;
  readonly blocks: number;
  readonly heads: number;
}

export const TFJS_VISION_TRANSFORMERS: Readonly<Record<string, VisionTransformer>> = {
  vit_base_patch16_224: { patch: 16, blocks: 12, heads: 12 },
};

/** @param images [n, h, w, c] @returns logits [n, classes] */
export function tfjsVisionTransformer(
  scope: TfjsScope,
  images: TfTensor,
  { patch, blocks, heads }: VisionTransformer,
): TfTensor {
  const { tf } = scope;
  const map = scope.conv('patch_embed.proj', images, patch, 0);
  const [n = 1, rows = 1, columns = 1, width = 1] = map.shape;
  const classToken = tf.tile(scope.parameter('cls_token'), [n, 1, 1]);
  const tokens = tf.concat([classToken, tf.reshape(map, [n, rows * columns, width])], 1);
  let x = tf.add(tokens, scope.parameter('pos_embed'));
  for (let index = 0; index < blocks; index++) x = block(scope.within(`blocks.${index}`), x, heads);
  const normalized = scope.layerNorm('norm', x);
  return scope.linear('head', tf.reshape(tf.slice(normalized, [0, 0, 0], [n, 1, width]), [n, width]));
}

function block(scope: TfjsScope, x: TfTensor, heads: number): TfTensor {
  const { tf } = scope;
  const between = tf.add(x, attention(scope, scope.layerNorm('norm1', x), heads));
  const inside = gelu(tf, layer(scope, 'mlp.fc1', scope.layerNorm('norm2', between)));
  return tf.add(between, layer(scope, 'mlp.fc2', inside));
}

function attention(scope: TfjsScope, x: TfTensor, heads: number): TfTensor {
  const { tf } = scope;
  const [n = 1, tokens = 1, width = 1] = x.shape;
  const packed = tf.reshape(layer(scope, 'attn.qkv', x), [n, tokens, 3 * heads, width / heads]);
  const [q, k, v] = tf.split(tf.transpose(packed, [0, 2, 1, 3]), 3, 1);
  if (!q || !k || !v) throw new RangeError('a split into three gave fewer');
  const scores = tf.mul(tf.matMul(q, k, false, true), (width / heads) ** -0.5);
  const y = tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]);
  return layer(scope, 'attn.proj', tf.reshape(y, [n, tokens, width]));
}

/** A linear layer of each token. */
function layer(scope: TfjsScope, name: string, x: TfTensor): TfTensor {
  const [n = 1, tokens = 1] = x.shape;
  const y = scope.linear(name, scope.tf.reshape(x, [n * tokens, at(x.shape, 2)]));
  return scope.tf.reshape(y, [n, tokens, at(y.shape, 1)]);
}
