import { at, type Tensor } from '../../engine/graph/tensor.js';
import { add, relu } from '../../kernels/pointwise/pointwise-table.js';
import { averagePool2d, globalAveragePool, maxPool2d } from '../../kernels/shape/pool.js';
import { placesOfMap } from '../landmarks.js';
import type { ModelScope } from '../model-scope.js';
import { type Architecture, type BackboneOptions, blockDropRate, type Stem } from './backbone.js';

/**
 * ResNet (He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385) in the form and naming of timm
 * and torchvision: bottlenecks stride in their 3×3 convolution ("v1.5"), projections are a 1×1 convolution and a norm.
 *
 * The `d` networks (He et al., "Bag of Tricks", arXiv 1812.01187, ResNet-D) begin with three 3×3 convolutions, and their
 * projections average 2×2 pixels instead of leaving out three of four.
 */
interface ResNetConfig {
  readonly block: 'basic' | 'bottleneck';
  /** Blocks of the four stages. */
  readonly depths: readonly [number, number, number, number];
  readonly stem?: Stem;
  /** How a projection that strides comes to fewer pixels; default `stride`. */
  readonly downsampling?: 'stride' | 'average';
}

const SIZES = {
  10: { block: 'basic', depths: [1, 1, 1, 1] },
  18: { block: 'basic', depths: [2, 2, 2, 2] },
  34: { block: 'basic', depths: [3, 4, 6, 3] },
  50: { block: 'bottleneck', depths: [3, 4, 6, 3] },
  101: { block: 'bottleneck', depths: [3, 4, 23, 3] },
  152: { block: 'bottleneck', depths: [3, 8, 36, 3] },
} as const;

const D = { stem: 'deep', downsampling: 'average' } as const;

/** `resnet10` is the one-block-a-stage network of the few-shot literature; the rest are the papers'. */
export const RESNETS: Readonly<Record<string, Architecture>> = {
  resnet10: resnet(SIZES[10]),
  resnet18: resnet(SIZES[18]),
  resnet18d: resnet({ ...SIZES[18], ...D }),
  resnet34: resnet(SIZES[34]),
  resnet34d: resnet({ ...SIZES[34], ...D }),
  resnet50: resnet(SIZES[50]),
  resnet50d: resnet({ ...SIZES[50], ...D }),
  resnet101: resnet(SIZES[101]),
  resnet101d: resnet({ ...SIZES[101], ...D }),
  resnet152: resnet(SIZES[152]),
  resnet152d: resnet({ ...SIZES[152], ...D }),
};

function resnet(config: ResNetConfig): Architecture {
  return {
    /**
     * `imagenet`: 7×7 stride 2, then max pooling; `deep`: three 3×3, the first of stride 2, with half the channels
     * between them, then max pooling; `small`: 3×3 stride 1 and no pooling, for images of 32–64 pixels; `small-stride2`:
     * 3×3 stride 2 and no pooling, a quarter of the cost of `small`.
     */
    stems: ['imagenet', 'deep', 'small', 'small-stride2'],
    stem: config.stem ?? 'imagenet',
    width: 64,
    imageSize: [224, 224],
    encode(scope, images, options) {
      const map = featureMap(scope, images, config, options);
      scope.landmarks.places = placesOfMap(map);
      return { features: () => globalAveragePool(map), map: () => map };
    },
    classifier: { name: 'fc' },
  };
}

/** Channels that a bottleneck puts out for each one inside. */
const EXPANSION = 4;

function featureMap(
  scope: ModelScope,
  x: Tensor,
  { block, depths, downsampling = 'stride' }: ResNetConfig,
  { stem, width, dropPathRate }: BackboneOptions,
): Tensor {
  let y = relu(scope.batchNorm('bn1', stemConvolution(scope, x, stem, width)));
  if (stem === 'imagenet' || stem === 'deep') y = maxPool2d(y, { kernel: 3, stride: 2, padding: 1 });
  const residual = block === 'basic' ? basicBlock : bottleneck;
  const blocks = depths.reduce((sum, depth) => sum + depth);
  let done = 0;
  for (const [stage, depth] of depths.entries()) {
    scope.within(`layer${stage + 1}`, () => {
      for (let index = 0; index < depth; index++) {
        const shape = {
          channels: width * 2 ** stage,
          stride: stage > 0 && index === 0 ? 2 : 1,
          downsampling,
          dropRate: blockDropRate(dropPathRate, done++, blocks),
        };
        scope.nextLayer();
        y = scope.within(String(index), () => residual(scope, y, shape));
      }
    });
  }
  return y;
}

function stemConvolution(scope: ModelScope, x: Tensor, stem: Stem, width: number): Tensor {
  if (stem === 'imagenet') return scope.conv('conv1', x, width, 7, { stride: 2, padding: 3 });
  if (stem === 'deep') return scope.within('conv1', () => deepStem(scope, x, width));
  return scope.conv('conv1', x, width, 3, { stride: stem === 'small' ? 1 : 2, padding: 1 });
}

/** Numbered as in timm, where a ReLU takes a number, too. */
function deepStem(scope: ModelScope, x: Tensor, width: number): Tensor {
  const between = Math.ceil(width / 2);
  let y = scope.conv('0', x, between, 3, { stride: 2, padding: 1 });
  y = scope.conv('3', relu(scope.batchNorm('1', y)), between, 3, { padding: 1 });
  return scope.conv('6', relu(scope.batchNorm('4', y)), width, 3, { padding: 1 });
}

interface BlockShape {
  readonly channels: number;
  readonly stride: number;
  readonly downsampling: 'stride' | 'average';
  readonly dropRate: number;
}

function basicBlock(scope: ModelScope, x: Tensor, shape: BlockShape): Tensor {
  const { channels, stride, dropRate } = shape;
  let y = scope.conv('conv1', x, channels, 3, { stride, padding: 1 });
  y = relu(scope.batchNorm('bn1', y));
  y = scope.conv('conv2', y, channels, 3, { padding: 1 });
  y = scope.dropPath(scope.batchNorm('bn2', y), dropRate);
  return relu(add(y, shortcut(scope, x, channels, shape)));
}

function bottleneck(scope: ModelScope, x: Tensor, shape: BlockShape): Tensor {
  const { channels, stride, dropRate } = shape;
  const outputs = channels * EXPANSION;
  let y = relu(scope.batchNorm('bn1', scope.conv('conv1', x, channels, 1)));
  y = relu(scope.batchNorm('bn2', scope.conv('conv2', y, channels, 3, { stride, padding: 1 })));
  y = scope.dropPath(scope.batchNorm('bn3', scope.conv('conv3', y, outputs, 1)), dropRate);
  return relu(add(y, shortcut(scope, x, outputs, shape)));
}

function shortcut(
  scope: ModelScope,
  x: Tensor,
  outputs: number,
  { stride, downsampling }: Pick<BlockShape, 'stride' | 'downsampling'>,
): Tensor {
  if (stride === 1 && at(x.shape, 3) === outputs) return x;
  return scope.within('downsample', () => {
    if (downsampling === 'stride') return scope.batchNorm('1', scope.conv('0', x, outputs, 1, { stride }));
    // at odd sizes the last row or column is averaged by itself
    const average = { kernel: 2, stride, ceilMode: true, countIncludePad: false };
    return scope.batchNorm('2', scope.conv('1', stride === 1 ? x : averagePool2d(x, average), outputs, 1));
  });
}
