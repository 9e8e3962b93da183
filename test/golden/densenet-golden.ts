import type { Digest } from './digest.js';
import { readGolden } from './golden-files.js';
import type { ModelGolden, PassGolden } from './model-golden.js';

interface Pass extends Omit<PassGolden, 'gradients'> {
  readonly features: readonly (readonly number[])[];
  /** Absent where float32 decides a ReLU otherwise than float64. */
  readonly gradients?: PassGolden['gradients'];
}

/** What make_densenet.py writes: torchvision's answers for DenseNets of hashed weights. */
export interface DenseNetGolden extends ModelGolden {
  readonly eval: Pass;
  readonly train: Pass & { readonly runningStatistics: Readonly<Record<string, Digest>> };
}

export const { networks: DENSENET_GOLDENS } = readGolden<{ networks: readonly DenseNetGolden[] }>(
  'densenet121.json.gz',
);
