import type { Rows } from './attention-geometry.js';

/**
 * The three walks over the scores that attention consists of. Each unit of work owns some rows (queries, or keys), goes
 * through all columns (the others), computes the scores anew and adds up. So no array of queries × keys ever exists, and
 * nothing is added by two units: the order of every sum is fixed.
 *
 *     s = scale · q·k          p = exp(s − lse), lse = log Σ exp s over the keys
 *     y = Σ p·v                over keys, the largest score so far taken out (Milakov & Gimelshein, arXiv 1805.02867)
 *     ds = scale · p·(dy·v − delta), delta = dy·y     (Dao et al., arXiv 2205.14135, appendix B.4)
 *     dq = Σ ds·k              over keys
 *     dk = Σ ds·q, dv = Σ p·dy over queries
 */
export interface AttentionPass {
  readonly rowsAre: 'queries' | 'keys';
  /** The scores' factors: of a row, of a column. */
  readonly scores: { readonly row: Rows; readonly column: Rows };
  /** In a backward pass: the factors of dy·v. */
  readonly slopes?: { readonly row: Rows; readonly column: Rows };
  /** The rows' results: sums over the columns of a weight times the values of the column's operand. */
  readonly sums: readonly { readonly weight: 'p' | 'ds'; readonly column: Rows }[];
}

export const FORWARD: AttentionPass = {
  rowsAre: 'queries',
  scores: { row: 'q', column: 'k' },
  sums: [{ weight: 'p', column: 'v' }],
};

export const QUERY_GRADIENT: AttentionPass = {
  rowsAre: 'queries',
  scores: { row: 'q', column: 'k' },
  slopes: { row: 'dy', column: 'v' },
  sums: [{ weight: 'ds', column: 'k' }],
};

export const KEY_GRADIENTS: AttentionPass = {
  rowsAre: 'keys',
  scores: { row: 'k', column: 'q' },
  slopes: { row: 'v', column: 'dy' },
  sums: [
    { weight: 'ds', column: 'q' },
    { weight: 'p', column: 'dy' },
  ],
};

/** The operands that a pass reads, each once. */
export function rowsRead({ scores, slopes, sums }: AttentionPass): Rows[] {
  return [
    ...new Set([
      scores.row,
      scores.column,
      ...(slopes ? [slopes.row, slopes.column] : []),
      ...sums.map(({ column }) => column),
    ]),
  ];
}
