/** Many products of small matrices at once, as attention takes them. */
export interface BmmGeometry {
  /** Products. */
  readonly batch: number;
  /** Each is [m, k] × [k, n]. */
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}
