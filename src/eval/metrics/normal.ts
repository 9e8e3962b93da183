/** The standard normal distribution, as far as intervals need it. */

/**
 * Probability of at most `z`: the series of Abramowitz & Stegun, "Handbook of Mathematical Functions" (1964), eq. 26.2.11.
 * Absolute error below 1e-15.
 */
export function normalCdf(z: number): number {
  if (z < -8) return 0;
  if (z > 8) return 1;
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > 1e-18; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return 0.5 + (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}

/** The z below which lies a share `p`; minus and plus infinity for 0 and 1. */
export function normalQuantile(p: number): number {
  if (p <= 0) return Number.NEGATIVE_INFINITY;
  if (p >= 1) return Number.POSITIVE_INFINITY;
  // the tail's absolute error would be a large share of a small p, so the lower half is searched
  if (p > 0.5) return -normalQuantile(1 - p);
  let [low, high] = [-8, 0];
  while (high - low > 1e-15) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
