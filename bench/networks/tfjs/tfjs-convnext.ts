import type { TfTensor } from '../../contenders/tfjs.js';
import { gelu } from './tfjs-gelu.js';
import type { TfjsScope } from './tfjs-scope.js';

/** ConvNeXt as src/models/backbones/convnext.ts traces it, with the patch stem and convolutions in its perceptrons. */

/** Blocks of the stages. */
export const TFJS_CONVNEXTS: Readonly<Record<string, readonly number[]>> = {
  convnext_atto: [2, 2, 6, 2],
};

/** @param images [n, h, w, c] @returns logits [n, classes] */
export function tfjsConvNeXt(scope: TfjsScope, images: TfTensor, depths: readonly number[]): TfTensor {
  const { tf } = scope;
  let y = scope.layerNorm('stem.1', scope.conv('stem.0', images, 4, 0));
  for (const [stage, depth] of depths.entries()) {
    const outer = scope.within(`stages.${stage}`);
    if (stage > 0) y = outer.conv('downsample.1', outer.layerNorm('downsample.0', y), 2, 0);
    for (let index = 0; index < depth; index++) y = block(outer.within(`blocks.${index}`), y);
  }
  return scope.linear('head.fc', scope.layerNorm('head.norm', tf.mean(y, [1, 2])));
}

function block(scope: TfjsScope, x: TfTensor): TfTensor {
  const { tf } = scope;
  let y = scope.layerNorm('norm', scope.depthwise('conv_dw', x, 3));
  y = scope.conv('mlp.fc2', gelu(tf, scope.conv('mlp.fc1', y, 1, 0)), 1, 0);
  return tf.add(tf.mul(y, scope.parameter('gamma')), x);
}
