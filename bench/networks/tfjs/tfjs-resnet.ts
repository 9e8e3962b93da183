import type { TfTensor } from '../../contenders/tfjs.js';
import type { TfjsScope } from './tfjs-scope.js';

/** ResNet as src/models/backbones/resnet.ts traces it, with the ImageNet stem. */

interface ResNet {
  readonly block: 'basic' | 'bottleneck';
  readonly depths: readonly number[];
}

export const TFJS_RESNETS: Readonly<Record<string, ResNet>> = {
  resnet18: { block: 'basic', depths: [2, 2, 2, 2] },
  resnet50: { block: 'bottleneck', depths: [3, 4, 6, 3] },
};

/** @param images [n, h, w, c] @returns logits [n, classes] */
export function tfjsResNet(scope: TfjsScope, images: TfTensor, { block, depths }: ResNet): TfTensor {
  const { tf } = scope;
  let y = tf.relu(scope.batchNorm('bn1', scope.conv('conv1', images, 2, 3)));
  y = tf.maxPool(y, 3, 2, 1, 'floor');
  for (const [stage, depth] of depths.entries()) {
    for (let index = 0; index < depth; index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      const inner = scope.within(`layer${stage + 1}.${index}`);
      const shortcut = index === 0 && (stage > 0 || block === 'bottleneck');
      const branch = block === 'basic' ? basic(inner, y, stride) : bottleneck(inner, y, stride);
      const trunk = shortcut ? inner.batchNorm('downsample.1', inner.conv('downsample.0', y, stride, 0)) : y;
      y = tf.relu(tf.add(branch, trunk));
    }
  }
  return scope.linear('fc', tf.mean(y, [1, 2]));
}

function basic(scope: TfjsScope, x: TfTensor, stride: number): TfTensor {
  const y = scope.tf.relu(scope.batchNorm('bn1', scope.conv('conv1', x, stride, 1)));
  return scope.batchNorm('bn2', scope.conv('conv2', y, 1, 1));
}

function bottleneck(scope: TfjsScope, x: TfTensor, stride: number): TfTensor {
  const { tf } = scope;
  let y = tf.relu(scope.batchNorm('bn1', scope.conv('conv1', x, 1, 0)));
  y = tf.relu(scope.batchNorm('bn2', scope.conv('conv2', y, stride, 1)));
  return scope.batchNorm('bn3', scope.conv('conv3', y, 1, 0));
}
