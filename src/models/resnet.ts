import { at, type Tensor } from '../engine/tensor.js';
import { add, relu } from '../kernels/pointwise-table.js';
import { globalAveragePool, maxPool2d } from '../kernels/pool.js';
import type { ModelScope } from './model-scope.js';

/**
 * ResNet (He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385) in the form and naming of timm
 * and torchvision: bottlenecks stride in their 3×3 convolution ("v1.5"), projections are a 1×1 convolution and a norm.
 */
export interface ResNetConfig {
  readonly block: 'basic' | 'bottleneck';
  /** Blocks of the four stages. */
  readonly depths: readonly [number, number, number, number];
}

/** `resnet10` is the one-block-a-stage network of the few-shot literature; the rest are the paper's. */
export const RESNETS: Readonly<Record<string, ResNetConfig>> = {
  resnet10: { block: 'basic', depths: [1, 1, 1, 1] },
  resnet18: { block: 'basic', depths: [2, 2, 2, 2] },
  resnet34: { block: 'basic', depths: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', depths: [3, 4, 6, 3] },
};

export interface ResNetOptions {
  /**
   * `imagenet`: 7×7 stride 2, then max pooling; `small`: 3×3 stride 1 and no pooling, for images of 32–64 pixels;
   * `small-stride2`: 3×3 stride 2 and no pooling, a quarter of the cost of `small`.
   */
  readonly stem: ResNetStem;
  /** Channels of the first stage; doubled at each of the others. 64 in the paper. */
  readonly width: number;
}

export type ResNetStem = 'imagenet' | 'small' | 'small-stride2';

/** Channels that a bottleneck puts out for each one inside. */
const EXPANSION = 4;

/** @param x [n, h, w, c] @returns the feature map [n, h', w', f] */
export function resnetFeatureMap(
  scope: ModelScope,
  x: Tensor,
  { block, depths }: ResNetConfig,
  { stem, width }: ResNetOptions,
): Tensor {
  let y = relu(scope.batchNorm('bn1', stemConvolution(scope, x, stem, width)));
  if (stem === 'imagenet') y = maxPool2d(y, { kernel: 3, stride: 2, padding: 1 });
  for (const [stage, depth] of depths.entries()) {
    const channels = width * 2 ** stage;
    for (let index = 0; index < depth; index++) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      y = scope.within(`layer${stage + 1}`, () =>
        scope.within(String(index), () =>
          block === 'basic' ? basicBlock(scope, y, channels, stride) : bottleneck(scope, y, channels, stride),
        ),
      );
    }
  }
  return y;
}

/** @param map [n, h, w, f] @returns [n, classes] and the pooled features [n, f] */
export function linearHead(
  scope: ModelScope,
  map: Tensor,
  { classes, dropRate }: { classes: number; dropRate: number },
): { logits: Tensor; features: Tensor } {
  const features = globalAveragePool(map);
  return { features, logits: scope.linear('fc', scope.dropout(features, dropRate), classes) };
}

function stemConvolution(scope: ModelScope, x: Tensor, stem: ResNetStem, width: number): Tensor {
  if (stem === 'imagenet') return scope.conv('conv1', x, width, 7, { stride: 2, padding: 3 });
  return scope.conv('conv1', x, width, 3, { stride: stem === 'small' ? 1 : 2, padding: 1 });
}

function basicBlock(scope: ModelScope, x: Tensor, channels: number, stride: number): Tensor {
  let y = scope.conv('conv1', x, channels, 3, { stride, padding: 1 });
  y = relu(scope.batchNorm('bn1', y));
  y = scope.conv('conv2', y, channels, 3, { padding: 1 });
  y = scope.batchNorm('bn2', y);
  return relu(add(y, shortcut(scope, x, channels, stride)));
}

function bottleneck(scope: ModelScope, x: Tensor, channels: number, stride: number): Tensor {
  const outputs = channels * EXPANSION;
  let y = relu(scope.batchNorm('bn1', scope.conv('conv1', x, channels, 1)));
  y = relu(scope.batchNorm('bn2', scope.conv('conv2', y, channels, 3, { stride, padding: 1 })));
  y = scope.batchNorm('bn3', scope.conv('conv3', y, outputs, 1));
  return relu(add(y, shortcut(scope, x, outputs, stride)));
}

function shortcut(scope: ModelScope, x: Tensor, outputs: number, stride: number): Tensor {
  if (stride === 1 && at(x.shape, 3) === outputs) return x;
  return scope.within('downsample', () => scope.batchNorm('1', scope.conv('0', x, outputs, 1, { stride })));
}
