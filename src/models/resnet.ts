import { at, type Tensor } from '../engine/tensor.js';
import { add, relu } from '../kernels/pointwise-table.js';
import { globalAveragePool, maxPool2d } from '../kernels/pool.js';
import { type Architecture, type BackboneOptions, blockDropRate, type Stem } from './backbone.js';
import type { ModelScope } from './model-scope.js';

/**
 * ResNet (He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385) in the form and naming of timm
 * and torchvision: bottlenecks stride in their 3×3 convolution ("v1.5"), projections are a 1×1 convolution and a norm.
 */
interface ResNetConfig {
  readonly block: 'basic' | 'bottleneck';
  /** Blocks of the four stages. */
  readonly depths: readonly [number, number, number, number];
}

/** `resnet10` is the one-block-a-stage network of the few-shot literature; the rest are the paper's. */
export const RESNETS: Readonly<Record<string, Architecture>> = {
  resnet10: resnet({ block: 'basic', depths: [1, 1, 1, 1] }),
  resnet18: resnet({ block: 'basic', depths: [2, 2, 2, 2] }),
  resnet34: resnet({ block: 'basic', depths: [3, 4, 6, 3] }),
  resnet50: resnet({ block: 'bottleneck', depths: [3, 4, 6, 3] }),
};

function resnet(config: ResNetConfig): Architecture {
  return {
    /**
     * `imagenet`: 7×7 stride 2, then max pooling; `small`: 3×3 stride 1 and no pooling, for images of 32–64 pixels;
     * `small-stride2`: 3×3 stride 2 and no pooling, a quarter of the cost of `small`.
     */
    stems: ['imagenet', 'small', 'small-stride2'],
    stem: 'imagenet',
    width: 64,
    featureMap: (scope, images, options) => featureMap(scope, images, config, options),
    pool: (_scope, map) => globalAveragePool(map),
    classifier: (scope, features, classes) => scope.linear('fc', features, classes),
  };
}

/** Channels that a bottleneck puts out for each one inside. */
const EXPANSION = 4;

function featureMap(
  scope: ModelScope,
  x: Tensor,
  { block, depths }: ResNetConfig,
  { stem, width, dropPathRate }: BackboneOptions,
): Tensor {
  let y = relu(scope.batchNorm('bn1', stemConvolution(scope, x, stem, width)));
  if (stem === 'imagenet') y = maxPool2d(y, { kernel: 3, stride: 2, padding: 1 });
  const residual = block === 'basic' ? basicBlock : bottleneck;
  const blocks = depths.reduce((sum, depth) => sum + depth);
  let done = 0;
  for (const [stage, depth] of depths.entries()) {
    scope.within(`layer${stage + 1}`, () => {
      for (let index = 0; index < depth; index++) {
        const shape = {
          channels: width * 2 ** stage,
          stride: stage > 0 && index === 0 ? 2 : 1,
          dropRate: blockDropRate(dropPathRate, done++, blocks),
        };
        y = scope.within(String(index), () => residual(scope, y, shape));
      }
    });
  }
  return y;
}

function stemConvolution(scope: ModelScope, x: Tensor, stem: Stem, width: number): Tensor {
  if (stem === 'imagenet') return scope.conv('conv1', x, width, 7, { stride: 2, padding: 3 });
  return scope.conv('conv1', x, width, 3, { stride: stem === 'small' ? 1 : 2, padding: 1 });
}

interface BlockShape {
  readonly channels: number;
  readonly stride: number;
  readonly dropRate: number;
}

function basicBlock(scope: ModelScope, x: Tensor, { channels, stride, dropRate }: BlockShape): Tensor {
  let y = scope.conv('conv1', x, channels, 3, { stride, padding: 1 });
  y = relu(scope.batchNorm('bn1', y));
  y = scope.conv('conv2', y, channels, 3, { padding: 1 });
  y = scope.dropPath(scope.batchNorm('bn2', y), dropRate);
  return relu(add(y, shortcut(scope, x, channels, stride)));
}

function bottleneck(scope: ModelScope, x: Tensor, { channels, stride, dropRate }: BlockShape): Tensor {
  const outputs = channels * EXPANSION;
  let y = relu(scope.batchNorm('bn1', scope.conv('conv1', x, channels, 1)));
  y = relu(scope.batchNorm('bn2', scope.conv('conv2', y, channels, 3, { stride, padding: 1 })));
  y = scope.dropPath(scope.batchNorm('bn3', scope.conv('conv3', y, outputs, 1)), dropRate);
  return relu(add(y, shortcut(scope, x, outputs, stride)));
}

function shortcut(scope: ModelScope, x: Tensor, outputs: number, stride: number): Tensor {
  if (stride === 1 && at(x.shape, 3) === outputs) return x;
  return scope.within('downsample', () => scope.batchNorm('1', scope.conv('0', x, outputs, 1, { stride })));
}
