import type { ClassPrompts, HeadSettings } from '../../src/models/heads/head.js';
import type { Digest } from './digest.js';
import { readGolden } from './golden-files.js';
import { hashUniform } from './hash-weights.js';
import type { ModelGolden, PassGolden } from './model-golden.js';

/** What make_heads.py writes: PyTorch's answers for heads of hashed weights. */
export interface HeadPass extends PassGolden {
  /** Of networks. */
  readonly features?: readonly (readonly number[])[];
  /** Of projections. */
  readonly embedding?: readonly (readonly number[])[];
  /** Of heads with statistics, in training. */
  readonly runningStatistics?: Readonly<Record<string, Digest>>;
}

interface BothModes {
  readonly eval: HeadPass;
  readonly train: HeadPass;
}

/** A head on a map, or on pooled features. The gradient of what it is given goes by the name `map`. */
export interface HeadGolden
  extends BothModes,
    Pick<ModelGolden, 'classes' | 'pictures' | 'targets' | 'shapes'> {
  readonly head: HeadSettings;
  /** [n, h, w, f], or [n, f] */
  readonly map: readonly number[];
  /** Of each class, where the head reads texts. */
  readonly prompts?: ClassPrompts;
}

/** A whole network. */
export interface HeadedGolden extends BothModes, ModelGolden {
  readonly head: HeadSettings;
}

export const { alone: HEADS_ALONE, networks: HEADED_NETWORKS } = readGolden<{
  alone: readonly HeadGolden[];
  networks: readonly HeadedGolden[];
}>('heads.json.gz');

/** What a head is given. */
export function hashMap({ map, pictures }: HeadGolden): Float32Array {
  const count = map.reduce((product, size) => product * size, 1);
  // as torch multiplies a float32 tensor by a number
  const scale = Math.fround(Math.sqrt(3));
  return hashUniform(`map/${pictures}`, count).map((u) => u * scale);
}
