import type { Reduction } from './loss-attributes.js';

/**
 * Two-way multi-label loss (Kobayashi 2023): within a line of [N, C], be it an image's row or a class's column, every
 * positive is compared with every negative: softplus(T_n·lse(x⁻/T_n) + T_p·lse(−x⁺/T_p)), lse being log Σ exp.
 */
export interface TwoWayAttributes {
  /** T_n, T_p. */
  readonly negativeTemperature: number;
  readonly positiveTemperature: number;
  /** Label smoothing ε: y becomes y·(1−ε) + ε/2. */
  readonly smoothing: number;
  /** Whether samples have weights. */
  readonly weighted: boolean;
  readonly reduction: Reduction;
}
