import type { ExplainMethod } from '../../src/explain/maps/method.js';
import type { HeadSettings } from '../../src/models/heads/head.js';
import type { Digest } from './digest.js';
import { readGolden } from './golden-files.js';
import type { ModelGolden } from './model-golden.js';

/** What make_explain.py writes: PyTorch's maps of networks of hashed weights. */
export interface ExplainGolden
  extends Pick<ModelGolden, 'arch' | 'width' | 'classes' | 'images' | 'pictures' | 'shapes'> {
  readonly method: ExplainMethod;
  readonly head: HeadSettings;
  /** Of each image, the class that it is asked about. */
  readonly columns: readonly number[];
  readonly logits: readonly (readonly number[])[];
  /** [n, rows, columns] */
  readonly cells: readonly (readonly (readonly number[])[])[];
  /** The first map at the images' size. */
  readonly resized: Digest;
  /** How far PyTorch in float32 is from PyTorch in float64. */
  readonly float32Error: number;
}

export const EXPLAIN_GOLDENS = readGolden<readonly ExplainGolden[]>('explain.json.gz');
