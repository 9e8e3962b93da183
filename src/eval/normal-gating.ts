/**
 * Normal gating (arXiv 2602.13430, task 1): p_c ← p_c·(1 − p_Normal)^α. An image that probably shows no finding has all of
 * its findings' scores lowered. Normal's own score stays.
 */
export interface NormalGate {
  /** α, 0 or larger: 0 changes nothing. */
  readonly alpha: number;
  /** The class that says that there is no finding. */
  readonly normal: string;
}

/**
 * @param scores [classes] of one image, 0 or larger; changed in place
 * @param probability that it is normal, in [0, 1]
 */
export function gateByNormal(
  scores: Float64Array,
  classes: readonly string[],
  probability: number,
  { alpha, normal }: NormalGate,
): void {
  const factor = (1 - probability) ** alpha;
  for (const [c, name] of classes.entries()) {
    if (name !== normal) scores[c] = (scores[c] as number) * factor;
  }
}
