import { TFJS_CONVNEXTS, tfjsConvNeXt } from '../tfjs-networks/tfjs-convnext.js';
import { TFJS_RESNETS, tfjsResNet } from '../tfjs-networks/tfjs-resnet.js';
import { hostSideOf, type TrainingStep, trainingStep } from '../training-step.js';
import type { Workload } from '../workload.js';

/** Whole training steps. */

const RESNET18 = resnet({ arch: 'resnet18', image: 64, batch: 8 });

export const networks: readonly Workload[] = [
  trainingStep(RESNET18),
  hostSideOf(RESNET18),
  trainingStep(convnext({ arch: 'convnext_atto', image: 64, batch: 8 })),
  trainingStep(resnet({ arch: 'resnet50', image: 224, batch: 32, onlyOnGpu: true })),
  trainingStep({ arch: 'convnext_tiny', image: 224, batch: 32, onlyOnGpu: true }),
];

/** One network at growing batches and pictures: what a step costs beyond what grows with them. */
export const scaling: readonly Workload[] = [
  ...[1, 2, 4, 8].map((batch) => ({ ...RESNET18, batch })),
  ...[32, 128].map((image) => ({ ...RESNET18, image })),
].map(trainingStep);

function resnet(step: Pick<TrainingStep, 'arch' | 'image' | 'batch' | 'onlyOnGpu'>): TrainingStep {
  const network = TFJS_RESNETS[step.arch];
  return {
    ...step,
    torchvision: true,
    ...(network && { tfjs: (scope, images) => tfjsResNet(scope, images, network) }),
  };
}

function convnext(step: Pick<TrainingStep, 'arch' | 'image' | 'batch'>): TrainingStep {
  const depths = TFJS_CONVNEXTS[step.arch];
  return { ...step, ...(depths && { tfjs: (scope, images) => tfjsConvNeXt(scope, images, depths) }) };
}
