import { ShapeError } from '../../engine/errors.js';
import { at, type Tensor } from '../../engine/graph/tensor.js';
import { relu } from '../../kernels/pointwise/pointwise-table.js';
import { concat } from '../../kernels/shape/movement.js';
import { averagePool2d, globalAveragePool, maxPool2d } from '../../kernels/shape/pool.js';
import { ZEROS } from '../initializer.js';
import { placesOfMap } from '../landmarks.js';
import { ModelError } from '../model-error.js';
import type { ModelScope } from '../model-scope.js';
import type { Architecture, BackboneOptions } from './backbone.js';

/**
 * DenseNet-BC (Huang et al., "Densely Connected Convolutional Networks", arXiv 1608.06993) in the form and naming of timm
 * and torchvision: each layer reads what all layers of its block before it put out, and a transition halves channels and
 * sides between blocks.
 */
export const DENSENETS: Readonly<Record<string, Architecture>> = {
  densenet121: densenet([6, 12, 24, 16]),
};

/** Channels inside a layer for each one that it puts out. */
const BOTTLENECK = 4;

/** The stem divides the sides by 4, rounding up; transitions halve them three times, rounding down. */
const SMALLEST_IMAGE = 29;

function densenet(blocks: readonly number[]): Architecture {
  return {
    /** `imagenet`: 7×7 stride 2, then max pooling. */
    stems: ['imagenet'],
    stem: 'imagenet',
    /** Twice the growth rate, as in the paper. */
    width: 64,
    imageSize: [224, 224],
    encode(scope, images, options) {
      const map = featureMap(scope, images, blocks, options);
      const last = () => {
        const normalized = relu(scope.within('features', () => scope.batchNorm('norm5', map)));
        scope.landmarks.places = placesOfMap(normalized);
        return normalized;
      };
      return { features: () => globalAveragePool(last()), map: last };
    },
    classifier: { name: 'classifier', initial: { bias: ZEROS } },
  };
}

function featureMap(
  scope: ModelScope,
  images: Tensor,
  blocks: readonly number[],
  { width, dropPathRate }: BackboneOptions,
): Tensor {
  if (dropPathRate > 0) {
    throw new ModelError('a DenseNet has no residual blocks to drop: model.dropPathRate must be 0');
  }
  if (width % 2 !== 0) {
    throw new ModelError(
      `model.width of a DenseNet is twice the channels that a layer adds: it must be even, got ${width}`,
    );
  }
  if (Math.min(at(images.shape, 1), at(images.shape, 2)) < SMALLEST_IMAGE) {
    throw new ShapeError(
      `a DenseNet needs images of at least ${SMALLEST_IMAGE} pixels a side, got ${at(images.shape, 1)} × ${at(images.shape, 2)}`,
    );
  }
  return scope.within('features', () => {
    let x = relu(scope.batchNorm('norm0', conv(scope, 'conv0', images, width, 7, { stride: 2, padding: 3 })));
    x = maxPool2d(x, { kernel: 3, stride: 2, padding: 1 });
    for (const [index, layers] of blocks.entries()) {
      if (index > 0) x = scope.within(`transition${index}`, () => transition(scope, x));
      for (let layer = 1; layer <= layers; layer++) {
        scope.nextLayer();
        const added = scope.within(`denseblock${index + 1}.denselayer${layer}`, () =>
          denseLayer(scope, x, width / 2),
        );
        x = concat([x, added], 3);
      }
    }
    return x;
  });
}

function denseLayer(scope: ModelScope, x: Tensor, growth: number): Tensor {
  const inside = conv(scope, 'conv1', relu(scope.batchNorm('norm1', x)), BOTTLENECK * growth, 1);
  return conv(scope, 'conv2', relu(scope.batchNorm('norm2', inside)), growth, 3, { padding: 1 });
}

function transition(scope: ModelScope, x: Tensor): Tensor {
  const halved = conv(scope, 'conv', relu(scope.batchNorm('norm', x)), Math.floor(at(x.shape, 3) / 2), 1);
  return averagePool2d(halved, { kernel: 2, stride: 2 });
}

/** Starts normal with variance 2 / fan-in, as in timm and torchvision. */
function conv(
  scope: ModelScope,
  name: string,
  x: Tensor,
  outputs: number,
  kernel: number,
  options: { readonly stride?: number; readonly padding?: number } = {},
): Tensor {
  const deviation = Math.sqrt(2 / (kernel * kernel * at(x.shape, 3)));
  return scope.conv(name, x, outputs, kernel, { ...options, weight: { kind: 'normal', deviation } });
}
