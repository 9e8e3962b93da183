import { at, type Tensor } from '../engine/graph/tensor.js';
import type { PositionGrid } from './position-grid.js';

/**
 * Tensors inside a traced network that say where it looked, for explanations (src/explain). A backbone and a head name
 * theirs while they are traced; nothing is computed of them unless somebody asks.
 */
export interface Landmarks {
  /** The deepest values that have a place in the image and that the head's reading depends on. */
  places?: Places;
  /** Self-attention of each transformer block, from the input on; empty in other networks. */
  readonly attentions: BlockAttention[];
  /**
   * Of a head that attends for each class by itself: [n, positions, classes], the positions of a class adding up to 1. Traced
   * when it is called, since the logits need not contain it.
   */
  classAttention?: () => Tensor;
}

/** Values of a grid over the image. */
export interface Places {
  /** [n, prefix + rows · columns, c], or a map [n, rows, columns, c] without prefix. */
  readonly values: Tensor;
  readonly grid: PositionGrid;
}

export interface BlockAttention {
  /** Normalised tokens that queries, keys and values are made of, [n, tokens, width]. */
  readonly reads: Tensor;
  /** Queries, keys and values side by side, [n, tokens, 3 · width]. */
  readonly packed: Tensor;
  readonly heads: number;
}

/** A map as places. @param map [n, h, w, c] */
export function placesOfMap(map: Tensor): Places {
  return { values: map, grid: { prefix: 0, rows: at(map.shape, 1), columns: at(map.shape, 2) } };
}
