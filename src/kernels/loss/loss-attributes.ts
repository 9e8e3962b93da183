/** The differences between fused losses: WGSL, operands, and the way in which entries become one number. */
export interface FusedLossAttributes {
  /** For labels: `loss:NAME`. */
  readonly name: string;
  /**
   * WGSL that defines `fn loss(x: f32, y: f32, …) -> vec2f`: value and d/dx at logit `x` and target `y` in [0, 1]. Further
   * arguments: one for each row of class constants, the row's sum (if `row`), one for each scheduled number. It must be
   * finite for every finite `x`.
   */
  readonly code: string;
  /** Rows of class constants, 0 where there are none. */
  readonly constants: number;
  /** Whether samples have weights. */
  readonly weighted: boolean;
  /**
   * Whether entries depend on their row's sum: the code defines `fn rowTerm(y: f32, …) -> f32` too, whose further
   * arguments are the class constants. It is summed over the known entries of the row.
   */
  readonly row: boolean;
  /** Numbers that are fed run by run, 0 where there are none. */
  readonly scheduled: number;
  /** Label smoothing ε: y becomes y·(1−ε) + ε/2. */
  readonly smoothing: number;
  /** Floating-point operations of one element. */
  readonly flops: number;
  readonly reduction: Reduction;
}

/**
 * How the entries of [N, C] become one number, w_i being the sample weights (1 where none are given):
 * - `mean`: Σ w_i·L_ij / Σ w_i, both over the known entries; 0 where nothing is known. Does not depend on how many
 *   labels are unknown, nor on the number of classes.
 * - `sum`: Σ w_i·L_ij over the known entries.
 * - `batchmean`: that sum divided by N, known or not: a sum over classes, a mean over images.
 */
export type Reduction = 'mean' | 'sum' | 'batchmean';
