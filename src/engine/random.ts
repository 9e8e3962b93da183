/**
 * One generator for everything random outside the GPU: initial weights, shuffles, augmentation, phantoms.
 *
 * A stream is named by a seed and any number of labels, so that adding a consumer never shifts the numbers that
 * another one sees, and any point of a training run can be reached again without replaying what came before.
 * The generator is PCG-XSH-RR 32 (O'Neill 2014) done in 32-bit halves; the same seed gives the same numbers on every
 * platform.
 */
export class Random {
  #hi: number;
  #lo: number;
  #spareNormal: number | undefined;

  /** @param seed any safe integer @param labels names or indices of the stream, e.g. `('shuffle', epoch)` */
  constructor(seed: number, ...labels: (string | number)[]) {
    const text = [seed, ...labels].join('/');
    this.#hi = hash32(text, 0x9e3779b9);
    this.#lo = hash32(text, 0x85ebca6b);
    this.uint32();
  }

  /** Next 32 random bits, as an integer in [0, 2³²). */
  uint32(): number {
    const hi = this.#hi;
    const lo = this.#lo;
    // state = state · 6364136223846793005 + 1442695040888963407 (mod 2⁶⁴)
    const [productHi, productLo] = multiplyLow64(hi, lo, 0x5851f42d, 0x4c957f2d);
    const sum = productLo + 0xf767814f;
    this.#lo = sum >>> 0;
    this.#hi = (productHi + 0x14057b7e + (sum > 0xffffffff ? 1 : 0)) >>> 0;
    // xorshifted = ((state >> 18) ^ state) >> 27, rotated right by state >> 59
    const shiftedLo = ((lo >>> 18) | (hi << 14)) ^ lo;
    const shiftedHi = (hi >>> 18) ^ hi;
    const xorshifted = ((shiftedLo >>> 27) | (shiftedHi << 5)) >>> 0;
    const rotation = hi >>> 27;
    return ((xorshifted >>> rotation) | (xorshifted << (-rotation & 31))) >>> 0;
  }

  /** Uniform in [low, high), with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const unit = (this.uint32() * 2 ** 21 + (this.uint32() >>> 11)) / 2 ** 53;
    return low + unit * (high - low);
  }

  /** Uniform integer in [0, n), without modulo bias. */
  int(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    let bits = this.uint32();
    while (bits >= limit) bits = this.uint32();
    return bits % n;
  }

  /** Gaussian with the given mean and standard deviation (Box–Muller). */
  normal(mean = 0, deviation = 1): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return mean + deviation * spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return mean + deviation * radius * Math.cos(angle);
  }

  /**
   * The logarithm of a number of the gamma distribution with this shape and scale 1 (Marsaglia & Tsang 2000, "A simple method
   * for generating gamma variables"; below 1 by their boost, which the logarithm keeps from becoming 0).
   */
  logGamma(shape: number): number {
    if (shape < 1) return this.logGamma(shape + 1) + Math.log(1 - this.uniform()) / shape;
    const d = shape - 1 / 3;
    for (;;) {
      const x = this.normal();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      if (v <= 0) continue;
      const logV = Math.log(v);
      if (Math.log(1 - this.uniform()) < x * x * 0.5 + d * (1 - v + logV)) return Math.log(d) + logV;
    }
  }

  /** Of the beta distribution, in [0, 1]: a gamma number's share in the sum of two. */
  beta(a: number, b: number): number {
    const first = this.logGamma(a);
    return 1 / (1 + Math.exp(this.logGamma(b) - first));
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.uniform() < p;
  }

  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined) throw new RangeError('pick() needs a non-empty list');
    return item;
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = items.slice();
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const a = copy[i] as T;
      copy[i] = copy[j] as T;
      copy[j] = a;
    }
    return copy;
  }
}

/** FNV-1a over UTF-16 units with a final avalanche (Murmur3's), seeded. */
export function hash32(text: string, seed = 0): number {
  let h = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Low 64 bits of a 64×64-bit product, in 32-bit halves. */
function multiplyLow64(aHi: number, aLo: number, bHi: number, bLo: number): [hi: number, lo: number] {
  const a0 = aLo & 0xffff;
  const a1 = aLo >>> 16;
  const b0 = bLo & 0xffff;
  const b1 = bLo >>> 16;
  const low = Math.imul(a0, b0) >>> 0;
  const mid1 = Math.imul(a1, b0) >>> 0;
  const mid2 = Math.imul(a0, b1) >>> 0;
  const carry = (low >>> 16) + (mid1 & 0xffff) + (mid2 & 0xffff);
  const lo = ((carry << 16) | (low & 0xffff)) >>> 0;
  const carriedHi = Math.imul(a1, b1) + (mid1 >>> 16) + (mid2 >>> 16) + Math.floor(carry / 0x10000);
  const hi = (carriedHi + Math.imul(aHi, bLo) + Math.imul(aLo, bHi)) >>> 0;
  return [hi, lo];
}
