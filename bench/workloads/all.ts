import type { Workload } from '../workload.js';
import { optimizers } from './adamw.js';
import { asymmetricLosses } from './asymmetric-loss.js';
import { attentions } from './attention.js';
import { augmentations } from './augmentation.js';
import { convolutions } from './convolution.js';
import { losses } from './losses.js';
import { matmuls } from './matmul.js';
import { networks, scaling } from './networks.js';
import { normalizations } from './normalization.js';
import { perceptrons } from './perceptron.js';

/** Everything that is measured, in the order of the table. */
export const WORKLOADS: readonly Workload[] = [
  ...matmuls,
  ...convolutions,
  ...normalizations,
  ...attentions,
  ...asymmetricLosses,
  ...losses,
  ...optimizers,
  ...augmentations,
  ...perceptrons,
  ...networks,
];

/** One network at growing batches and pictures; the middle of both is the same step. */
export const SCALING: readonly Workload[] = scaling;
