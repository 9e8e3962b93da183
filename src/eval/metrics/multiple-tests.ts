/**
 * p-values corrected for how many comparisons were made (Holm 1979, step-down): the chance that any of several true null
 * hypotheses falls below α stays below α, whatever their dependence.
 * @param values in [0, 1]; NaN for a comparison that could not be made, which stays NaN and doesn't count
 * @returns corrected ones, in the same order
 */
export function holm(values: readonly number[]): number[] {
  const order = [...values.keys()]
    .filter((i) => !Number.isNaN(values[i]))
    .sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const corrected = values.map(() => Number.NaN);
  let least = 0;
  for (const [rank, i] of order.entries()) {
    least = Math.max(least, Math.min(1, (order.length - rank) * (values[i] ?? 1)));
    corrected[i] = least;
  }
  return corrected;
}
