import type { Digest } from './digest.js';
import { readGolden } from './golden-files.js';
import type { ModelGolden, PassGolden } from './model-golden.js';

/** What make_resnet.py writes: PyTorch's answers for a ResNet of hashed weights. */
export interface ResNetGolden extends ModelGolden {
  readonly eval: PassGolden;
  readonly train: PassGolden & { readonly runningStatistics: Readonly<Record<string, Digest>> };
}

/** Those of which PyTorch's steps are kept, too. */
export interface TrainedResNetGolden extends ResNetGolden {
  /** Ten steps. */
  readonly adamw: {
    readonly losses: readonly number[];
    readonly gradientNorms: readonly number[];
    readonly parameters: Readonly<Record<string, Digest>>;
  };
}

export const TRAINED_RESNET_GOLDENS: readonly TrainedResNetGolden[] = [
  'resnet18-small.json.gz',
  'resnet18.json.gz',
  'resnet50.json.gz',
].map((name) => readGolden<TrainedResNetGolden>(name));

export const RESNET_GOLDENS: readonly ResNetGolden[] = [
  ...TRAINED_RESNET_GOLDENS,
  ...['resnet101.json.gz', 'resnet152.json.gz', 'resnet18d.json.gz', 'resnet50d.json.gz'].map((name) =>
    readGolden<ResNetGolden>(name),
  ),
];
