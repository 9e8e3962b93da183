import type { Digest } from './digest.js';
import { readGolden } from './golden-files.js';
import type { ModelGolden, PassGolden } from './model-golden.js';

/** What make_resnet.py writes: PyTorch's answers for a ResNet of hashed weights. */
export interface ResNetGolden extends ModelGolden {
  readonly eval: PassGolden;
  readonly train: PassGolden & { readonly runningStatistics: Readonly<Record<string, Digest>> };
  /** Ten steps. */
  readonly adamw: {
    readonly losses: readonly number[];
    readonly gradientNorms: readonly number[];
    readonly parameters: Readonly<Record<string, Digest>>;
  };
}

export const RESNET_GOLDENS: readonly ResNetGolden[] = [
  'resnet18-small.json.gz',
  'resnet18.json.gz',
  'resnet50.json.gz',
].map((name) => readGolden<ResNetGolden>(name));
