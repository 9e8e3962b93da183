import { type ForwardPass, forwardPass } from '../networks/forward-pass.js';
import type { NetworkSizes } from '../networks/network-start.js';
import { TFJS_CONVNEXTS, tfjsConvNeXt } from '../networks/tfjs/tfjs-convnext.js';
import { TFJS_RESNETS, tfjsResNet } from '../networks/tfjs/tfjs-resnet.js';
import { TFJS_VISION_TRANSFORMERS, tfjsVisionTransformer } from '../networks/tfjs/tfjs-vit.js';
import { hostSideOf, trainingStep } from '../networks/training-step.js';
import type { Workload } from '../workload.js';

/** Whole networks: training steps, and forward passes for inference. */

/** As chest radiographs are classified. */
const FINDINGS = { classes: 14, loss: 'bce' } as const;

const RESNET18 = resnet({ arch: 'resnet18', image: 64, batch: 8, ...FINDINGS });

/**
 * Of Inferena, a public table of frameworks (kvark/inferena, b1534db): ResNet-50, batch 4, 224 pixels, cross-entropy over
 * ImageNet's classes. docs/benchmark.md says what its two columns count.
 */
const INFERENA = { arch: 'resnet50', image: 224, batch: 4, classes: 1000 } as const;

export const networks: readonly Workload[] = [
  trainingStep(RESNET18),
  hostSideOf(RESNET18),
  trainingStep(convnext({ arch: 'convnext_atto', image: 64, batch: 8, ...FINDINGS })),
  trainingStep({
    ...resnet({ ...INFERENA, loss: 'cross-entropy', learningRate: 1e-5 }),
    // half a minute a step on two cores
    onlyOnGpu: ['tfjs-webgpu'],
  }),
  forwardPass({ ...resnet(INFERENA), onlyOnGpu: ['tfjs-webgpu'] }),
  forwardPass(visionTransformer({ arch: 'vit_base_patch16_224', image: 224, batch: 4, classes: 1000 })),
  trainingStep({
    ...resnet({ arch: 'resnet50', image: 224, batch: 32, ...FINDINGS }),
    onlyOnGpu: 'everybody',
  }),
  trainingStep({
    ...convnext({ arch: 'convnext_tiny', image: 224, batch: 32, ...FINDINGS }),
    onlyOnGpu: 'everybody',
  }),
];

/** One network at growing batches and pictures: what a step costs beyond what grows with them. */
export const scaling: readonly Workload[] = [
  ...[1, 2, 4, 8].map((batch) => ({ ...RESNET18, batch })),
  ...[32, 128].map((image) => ({ ...RESNET18, image })),
].map(trainingStep);

type Sizes = Omit<NetworkSizes, 'stem' | 'torchvision'>;
type Made<S extends Sizes> = S & Pick<NetworkSizes, 'stem' | 'torchvision'> & Pick<ForwardPass, 'tfjs'>;

function resnet<S extends Sizes>(sizes: S): Made<S> {
  const network = TFJS_RESNETS[sizes.arch];
  return {
    ...sizes,
    stem: '7×7 with stride 2, then pooling',
    torchvision: sizes.arch,
    ...(network && { tfjs: (scope, images) => tfjsResNet(scope, images, network) }),
  };
}

function convnext<S extends Sizes>(sizes: S): Made<S> {
  const depths = TFJS_CONVNEXTS[sizes.arch];
  return {
    ...sizes,
    stem: 'patches of 4 × 4',
    ...(depths && { tfjs: (scope, images) => tfjsConvNeXt(scope, images, depths) }),
  };
}

function visionTransformer<S extends Sizes>(sizes: S): Made<S> {
  const network = TFJS_VISION_TRANSFORMERS[sizes.arch];
  return {
    ...sizes,
    stem: 'patches of 16 × 16',
    torchvision: 'vit_b_16',
    ...(network && { tfjs: (scope, images) => tfjsVisionTransformer(scope, images, network) }),
  };
}
