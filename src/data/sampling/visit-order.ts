import type { Random } from '../../engine/random.js';

/**
 * From expected visits to the order of an epoch, in two steps: how often each sample comes (whole numbers), and when.
 * Both are arranged draws instead of independent ones: each sample has the chances that it would have with independent
 * draws, but what an epoch holds strays less from what is expected, and repeats lie far apart.
 */

/**
 * Rounds expected visits up or down by chance: a sample with 2.3 comes 3 times with probability 0.3, else twice.
 *
 * The chances are given out by systematic sampling (Madow 1949): the fractions are laid end to end, and a comb of pitch
 * 1 with one random offset picks samples. They lie sorted by size, at random among equals; samples with the same labels
 * have the same fraction, so each set of labels gets its expected number of visits, ± 1.
 * @param expected [n] finite, ≥ 0
 * @returns [n] whole numbers whose sum is that of `expected`, rounded up or down
 */
export function drawVisits(expected: Float64Array, random: Random): Int32Array {
  const visits = Int32Array.from(expected, Math.floor);
  const positions = Array.from(expected.keys()).filter((i) => (expected[i] ?? 0) > (visits[i] ?? 0));
  if (positions.length === 0) return visits;
  const fraction = (i: number) => (expected[i] ?? 0) - (visits[i] ?? 0);
  const laid = random.shuffle(positions).sort((a, b) => fraction(a) - fraction(b));
  const exact = laid.reduce((sum, i) => sum + fraction(i), 0);
  const whole = Math.round(exact);
  const total = Math.abs(exact - whole) < 1e-6 ? whole : exact;
  const offset = random.uniform();
  let sum = 0;
  let picked = 0;
  for (const [at, i] of laid.entries()) {
    sum += fraction(i);
    // the last fraction ends at the total itself, so that rounding errors neither make nor lose a visit
    const end = at === laid.length - 1 ? total : Math.min(total, (sum * total) / exact);
    const reached = Math.floor(end + offset);
    visits[i] = (visits[i] ?? 0) + reached - picked;
    picked = reached;
  }
  return visits;
}

/** Of the mean distance between two visits of a sample: how much it is varied, so that neighbours don't meet again. */
const JITTER = 0.25;

/**
 * An order with the visits of each sample spread over the epoch: the k-th of m lies at (k + φ + δ_k)/m of its length
 * (around the end, at its start), with a random phase φ in [0, 1) for each sample and δ in [0, ¼) for each visit. So
 * from ¾ to 1¼ of length/m visits lie between two of them, give or take a few of that number's square roots, since any
 * other sample has its share of such a stretch but for one visit. With one visit each, this is a shuffle.
 * @param visits [n] whole numbers
 * @returns [Σ visits] positions 0…n−1
 */
export function spreadVisits(visits: Int32Array, random: Random): Int32Array {
  const length = visits.reduce((sum, count) => sum + count, 0);
  const sample = new Int32Array(length);
  const place = new Float64Array(length);
  let at = 0;
  for (const [i, count] of visits.entries()) {
    const phase = random.uniform();
    for (let k = 0; k < count; k++) {
      sample[at] = i;
      place[at++] = ((k + phase + random.uniform(0, JITTER)) / count) % 1;
    }
  }
  const byPlace = Int32Array.from(place.keys()).sort((a, b) => (place[a] ?? 0) - (place[b] ?? 0) || a - b);
  return byPlace.map((entry) => sample[entry] ?? 0);
}
