/**
 * From a line integral of attenuation to the picture that a radiographer sends on: Beer–Lambert, scatter, blur, quantum
 * noise, logarithm, window, the usual S-shaped tone curve, collimation. Bright is dense (MONOCHROME2).
 *
 * `Math.exp`, `Math.log` and `Math.sin` are the only functions whose last bit the language leaves open; V8 uses one
 * portable implementation (fdlibm) for them on every platform, so bytes are reproducible under node.
 */
import type { Random } from '../engine/random.js';
import { clamp, mix } from './geometry.js';
import type { View } from './patient.js';

export interface Technique {
  /** Photons per cm² behind air; sets the noise. */
  readonly photons: number;
  /** Scattered over primary radiation behind the mean of the image. */
  readonly scatter: number;
  /** Standard deviation of focal, motion and detector blur, cm. */
  readonly blur: number;
  /** Percentiles of the attenuation that become black and white. */
  readonly black: number;
  readonly white: number;
  /** Exponent of the tone curve; below 1 brightens the lungs. */
  readonly gamma: number;
  /** Local contrast enhancement, 0–1. */
  readonly sharpening: number;
  /** Width of the shuttered border on each edge, as a share of the image: left, top, right, bottom. */
  readonly shutter: readonly [number, number, number, number];
}

export function sampleTechnique(random: Random, view: View): Technique {
  const portable = view === 'AP';
  const edge = () => (random.chance(0.18) ? random.uniform(0.01, 0.06) : 0);
  return {
    photons: (portable ? 1.2e6 : 2.5e6) * random.uniform(0.7, 1.5),
    scatter: (portable ? 0.9 : 0.5) * random.uniform(0.8, 1.3),
    blur: random.uniform(0.02, 0.05) * (portable ? 1.5 : 1),
    black: random.uniform(0.03, 0.07),
    white: random.uniform(0.975, 0.995),
    gamma: random.uniform(0.85, 1.15),
    sharpening: random.uniform(0.3, 0.7),
    shutter: [edge(), edge(), edge(), edge()],
  };
}

/**
 * @param attenuation line integrals, [oversampling·size]² @param size pixels a side of the result
 * @param fieldCm side of the image, cm @param noise stream of the quantum noise
 * @returns [size, size] pixels, 0 (black) to 65535 (white)
 */
export function expose(
  attenuation: Float32Array,
  size: number,
  oversampling: number,
  fieldCm: number,
  technique: Technique,
  noise: Random,
): Uint16Array {
  const intensity = averageIntensity(attenuation, size, oversampling);
  const pixelCm = fieldCm / size;
  blurInPlace(intensity, size, technique.blur / pixelCm);
  const scattered = coarseBlur(intensity, size, 4 / fieldCm);
  const photonsPerPixel = technique.photons * pixelCm * pixelCm;
  const optical = new Float32Array(size * size);
  for (let i = 0; i < optical.length; i++) {
    const primary = intensity[i] as number;
    const total = (primary + 0.12 * technique.scatter * (scattered[i] as number)) * photonsPerPixel;
    const counted = total + Math.sqrt(total) * noise.normal();
    optical[i] = -Math.log(Math.max(counted, 1) / photonsPerPixel);
  }
  const local = coarseBlur(optical, size, 3.5 / fieldCm);
  for (let i = 0; i < optical.length; i++) {
    const value = optical[i] as number;
    optical[i] = value + technique.sharpening * (value - (local[i] as number));
  }
  return toneMap(optical, size, technique);
}

function averageIntensity(attenuation: Float32Array, size: number, oversampling: number): Float32Array {
  const wide = size * oversampling;
  const intensity = new Float32Array(size * size);
  const share = 1 / (oversampling * oversampling);
  for (let row = 0; row < wide; row++) {
    const out = Math.floor(row / oversampling) * size;
    for (let column = 0; column < size; column++) {
      let sum = 0;
      for (let k = 0; k < oversampling; k++) {
        sum += Math.exp(-(attenuation[row * wide + column * oversampling + k] as number));
      }
      intensity[out + column] = (intensity[out + column] as number) + sum * share;
    }
  }
  return intensity;
}

/** Separable Gaussian-like blur (binomial of three taps, repeated); sigma in pixels. */
function blurInPlace(image: Float32Array, size: number, sigma: number): void {
  const variance = sigma * sigma;
  if (variance < 0.01) return;
  const passes = Math.max(1, Math.ceil(variance / 0.5));
  const side = variance / passes / 2;
  const line = new Float32Array(size);
  for (let pass = 0; pass < passes; pass++) {
    for (let k = 0; k < size; k++) {
      blurLine(image, k * size, 1, size, side, line);
      blurLine(image, k, size, size, side, line);
    }
  }
}

function blurLine(
  image: Float32Array,
  start: number,
  stride: number,
  size: number,
  side: number,
  line: Float32Array,
): void {
  for (let i = 0; i < size; i++) line[i] = image[start + i * stride] as number;
  for (let i = 0; i < size; i++) {
    const centre = line[i] as number;
    const before = i > 0 ? (line[i - 1] as number) : centre;
    const after = i + 1 < size ? (line[i + 1] as number) : centre;
    image[start + i * stride] = centre + side * (before - 2 * centre + after);
  }
}

/** A wide blur by way of a coarse image: what scatter and local contrast need. @param sigma share of the image */
function coarseBlur(image: Float32Array, size: number, sigma: number): Float32Array {
  const cells = Math.min(size, 32);
  const coarse = new Float32Array(cells * cells);
  const counts = new Float32Array(cells * cells);
  for (let row = 0; row < size; row++) {
    const cellRow = Math.floor((row * cells) / size) * cells;
    for (let column = 0; column < size; column++) {
      const cell = cellRow + Math.floor((column * cells) / size);
      coarse[cell] = (coarse[cell] as number) + (image[row * size + column] as number);
      counts[cell] = (counts[cell] as number) + 1;
    }
  }
  for (let i = 0; i < coarse.length; i++) coarse[i] = (coarse[i] as number) / (counts[i] as number);
  blurInPlace(coarse, cells, sigma * cells);
  return enlarge(coarse, cells, size);
}

function enlarge(coarse: Float32Array, cells: number, size: number): Float32Array {
  const image = new Float32Array(size * size);
  for (let row = 0; row < size; row++) {
    const y = clamp(((row + 0.5) * cells) / size - 0.5, 0, cells - 1);
    const y0 = Math.min(Math.floor(y), cells - 1);
    const y1 = Math.min(y0 + 1, cells - 1);
    for (let column = 0; column < size; column++) {
      const x = clamp(((column + 0.5) * cells) / size - 0.5, 0, cells - 1);
      const x0 = Math.min(Math.floor(x), cells - 1);
      const x1 = Math.min(x0 + 1, cells - 1);
      const above = mix(coarse[y0 * cells + x0] as number, coarse[y0 * cells + x1] as number, x - x0);
      const below = mix(coarse[y1 * cells + x0] as number, coarse[y1 * cells + x1] as number, x - x0);
      image[row * size + column] = mix(above, below, y - y0);
    }
  }
  return image;
}

function toneMap(optical: Float32Array, size: number, technique: Technique): Uint16Array {
  const inField = new Float32Array(optical.length);
  let count = 0;
  // The window looks at the patient only: direct exposure beside the body would waste the range.
  for (const value of optical) if (value > 0.6) inField[count++] = value;
  const sorted = inField.subarray(0, count).sort();
  const at = (share: number) => sorted[Math.floor(share * (count - 1))] ?? 0;
  const black = at(technique.black);
  const white = Math.max(at(technique.white), black + 0.5);
  const [left, top, right, bottom] = technique.shutter;
  const pixels = new Uint16Array(optical.length);
  for (let row = 0; row < size; row++) {
    if (row < top * size || row >= (1 - bottom) * size) continue;
    for (let column = 0; column < size; column++) {
      if (column < left * size || column >= (1 - right) * size) continue;
      const index = row * size + column;
      const t = clamp(((optical[index] as number) - black) / (white - black), -0.15, 1.12);
      pixels[index] = Math.round(65535 * clamp(0.12 + 0.78 * shape(t, technique.gamma), 0, 1));
    }
  }
  return pixels;
}

/** A gentle S through (0, 0) and (1, 1), continued straight outside. */
function shape(t: number, gamma: number): number {
  if (t <= 0) return 0.8 * t;
  if (t >= 1) return 1 + 0.8 * (t - 1);
  const curved = t ** gamma;
  return mix(curved, curved * curved * (3 - 2 * curved), 0.35);
}
