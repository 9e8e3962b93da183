import type { PositionGrid } from '../../src/models/position-grid.js';
import type { Digest } from './digest.js';
import { readGolden } from './golden-files.js';
import type { ModelGolden, PassGolden } from './model-golden.js';

/** What make_vit.py writes: PyTorch's answers for vision transformers of hashed weights. */
export interface VisionTransformerGolden extends ModelGolden {
  readonly eval: PassGolden & {
    readonly features: readonly (readonly number[])[];
    readonly map: { readonly 'last map': Digest };
  };
}

/** Position embeddings of a square grid, resized to another. */
export interface PositionsGolden {
  /** Their values are hashed; see hash-weights.ts. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly grid: PositionGrid;
  readonly expected: readonly number[];
}

export const { networks: VISION_TRANSFORMER_GOLDENS, positions: POSITIONS_GOLDENS } = readGolden<{
  networks: readonly VisionTransformerGolden[];
  positions: readonly PositionsGolden[];
}>('vit.json.gz');
