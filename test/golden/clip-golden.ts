import type { ClipConfig } from '../../src/models/clip/clip-config.js';
import type { Digest } from './digest.js';
import { readGolden } from './golden-files.js';

/** What make_clip.py writes: PyTorch's embeddings by a CLIP of hashed weights. */
export interface ClipGolden {
  readonly config: Omit<ClipConfig, 'preprocessing'>;
  /** PyTorch's shape of every parameter, by open_clip's name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** [texts, context] */
  readonly tokens: readonly (readonly number[])[];
  /** [pictures, embedding], of length 1; pictures as `hashImages(…, 1)` makes them. */
  readonly images: readonly (readonly number[])[];
  /** The same of as many grey ones, `hashPixels(…, 1)`, normalised by CLIP's own mean and deviation. */
  readonly grey: readonly (readonly number[])[];
  readonly texts: readonly (readonly number[])[];
  readonly float32Error: { readonly images: number; readonly texts: number };
  /** Of Σ (images · textsᵀ)², by name. */
  readonly gradients?: Readonly<Record<string, Digest>>;
  /** Embeddings of as many square grey pictures of another size, positions resized. */
  readonly otherSizes?: readonly { readonly size: number; readonly grey: readonly (readonly number[])[] }[];
}

export const CLIP_GOLDENS = readGolden<Readonly<Record<string, ClipGolden>>>('clip.json.gz');
