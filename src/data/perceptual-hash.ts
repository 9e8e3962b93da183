import type { GreyImage } from './decode.js';
import { resizeBilinear } from './resize.js';

/**
 * Finding one picture in two files: copies that were saved again, scaled, brightened or windowed otherwise.
 *
 * A 64-bit hash of the lowest frequencies finds candidates among all pairs, and a comparison of 32 × 32 pixels decides:
 * chest radiographs look so much alike that no hash of 64 bits can. Measured on 1,000 NIH radiographs of 64 × 64 pixels
 * (499,500 pairs of different pictures): a difference hash (dHash) has 3,856 pairs of different patients within 4 bits;
 * this hash has 154 within 8, and the correlation of none of them reaches 0.986, same patient or not. Of copies saved as
 * JPEG at quality 50, halved, enlarged, blurred, with gamma 2 or a window a third narrower, all are within 8 bits and
 * nine in ten at 0.9928 or more. What is not found: cropped, turned, mirrored or locally equalised copies.
 */

/** Bits in which the hashes of two copies may differ. */
export const NEAR_BITS = 8;
/** Correlation of two fingerprints from which on they count as copies. */
export const NEAR_CORRELATION = 0.99;

const SIDE = 32;
const FREQUENCIES = 8;

/** What a picture is compared by. */
export interface Fingerprint {
  /** 64 bits: whether each of the 8 × 8 lowest frequencies (means left out) is above their median. */
  readonly hash: readonly [high: number, low: number];
  /** [32, 32] the picture itself, as bytes from its darkest to its brightest value. */
  readonly pixels: Uint8Array;
}

/** The fingerprint of a decoded picture. */
export function fingerprintOf(image: GreyImage): Fingerprint {
  const small = resizeBilinear(image, SIDE, SIDE);
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of small) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const range = most > least ? most - least : 1;
  return {
    hash: hashOf(small),
    pixels: Uint8Array.from(small, (v) => Math.round((255 * (v - least)) / range)),
  };
}

/** In how many of 64 bits two hashes differ. */
export function hammingDistance(a: Fingerprint['hash'], b: Fingerprint['hash']): number {
  return bitCount(a[0] ^ b[0]) + bitCount(a[1] ^ b[1]);
}

/** Pearson's correlation of two fingerprints' pixels, in [−1, 1]; 0 where one is flat. */
export function correlation(a: Fingerprint, b: Fingerprint): number {
  let [sumA, sumB, sumAA, sumBB, sumAB] = [0, 0, 0, 0, 0];
  const n = a.pixels.length;
  for (let i = 0; i < n; i++) {
    const [x, y] = [a.pixels[i] ?? 0, b.pixels[i] ?? 0];
    sumA += x;
    sumB += y;
    sumAA += x * x;
    sumBB += y * y;
    sumAB += x * y;
  }
  const scale = Math.sqrt((n * sumAA - sumA * sumA) * (n * sumBB - sumB * sumB));
  return scale > 0 ? (n * sumAB - sumA * sumB) / scale : 0;
}

export interface NearPair {
  /** Positions in the list given, a < b. */
  readonly a: number;
  readonly b: number;
  readonly bits: number;
  readonly correlation: number;
}

/**
 * All pairs of copies. Two hashes that differ in at most 8 bits agree in one of 9 stretches of 7 bits, so only pictures
 * that share a stretch are compared: the cost grows with the square of the number, divided by about 14.
 */
export function nearPairs(fingerprints: readonly Fingerprint[]): NearPair[] {
  const found: NearPair[] = [];
  for (let stretch = 0; stretch <= NEAR_BITS; stretch++) {
    const buckets = new Map<number, number[]>();
    for (const [i, { hash }] of fingerprints.entries()) {
      const bits = stretchOf(hash, stretch);
      const bucket = buckets.get(bits);
      if (bucket === undefined) buckets.set(bits, [i]);
      else bucket.push(i);
    }
    for (const bucket of buckets.values()) {
      const members = bucket.map((i) => fingerprints[i]).filter((each) => each !== undefined);
      for (const [j, right] of members.entries()) {
        for (let i = 0; i < j; i++) {
          const left = members[i];
          if (left === undefined) continue;
          const bits = hammingDistance(left.hash, right.hash);
          if (bits > NEAR_BITS || firstShared(left.hash, right.hash) !== stretch) continue;
          const likeness = correlation(left, right);
          if (likeness < NEAR_CORRELATION) continue;
          found.push({ a: bucket[i] ?? 0, b: bucket[j] ?? 0, bits, correlation: likeness });
        }
      }
    }
  }
  return found.sort((p, q) => p.a - q.a || p.b - q.b);
}

const STRETCH = Math.floor(64 / (NEAR_BITS + 1));

/** Bits `stretch`·7 … +6 of a hash, counted from its lowest. */
function stretchOf([high, low]: Fingerprint['hash'], stretch: number): number {
  const from = stretch * STRETCH;
  const bits = from >= 32 ? high >>> (from - 32) : (low >>> from) | (from > 0 ? high << (32 - from) : 0);
  return bits & (2 ** STRETCH - 1);
}

/** The first stretch in which two hashes agree, so that a pair is found once. */
function firstShared(a: Fingerprint['hash'], b: Fingerprint['hash']): number {
  for (let stretch = 0; stretch <= NEAR_BITS; stretch++) {
    if (stretchOf(a, stretch) === stretchOf(b, stretch)) return stretch;
  }
  return -1;
}

/** [frequency 1…8, pixel] of the discrete cosine transform (DCT-II). */
const COSINES = Array.from({ length: FREQUENCIES }, (_, u) =>
  Float64Array.from({ length: SIDE }, (_, x) => Math.cos((Math.PI * (2 * x + 1) * (u + 1)) / (2 * SIDE))),
);

function hashOf(small: Float32Array): [high: number, low: number] {
  const values: number[] = [];
  for (const down of COSINES) {
    for (const across of COSINES) {
      let sum = 0;
      for (let y = 0; y < SIDE; y++) {
        let row = 0;
        for (let x = 0; x < SIDE; x++) row += (small[y * SIDE + x] ?? 0) * (across[x] ?? 0);
        sum += row * (down[y] ?? 0);
      }
      values.push(sum);
    }
  }
  const sorted = Float64Array.from(values).sort();
  const median = ((sorted[31] ?? 0) + (sorted[32] ?? 0)) / 2;
  const words: [number, number] = [0, 0];
  for (const [i, value] of values.entries()) {
    const word = i < 32 ? 0 : 1;
    words[word] = ((words[word] << 1) | (value > median ? 1 : 0)) >>> 0;
  }
  return words;
}

function bitCount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
