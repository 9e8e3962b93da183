import { z } from 'zod';
import { Random } from '../../engine/random.js';

/**
 * Two training pictures in one, with the labels of both: mixup (Zhang et al. 2018, arXiv 1710.09412), which blends them,
 * and CutMix (Yun et al. 2019, arXiv 1905.04899), which pastes a box of one into the other. A picture's weight λ is drawn
 * from Beta(α, α), and each label of several becomes λ·y + (1 − λ)·y of the partner.
 *
 * The partner is another place of the epoch's order, drawn from all of them, and not of the batch as in the papers' code. So
 * an epoch has the same mixed pictures however it is cut into batches.
 */

const share = z.number().min(0).max(1).default(0.5);
const alpha = (value: number) => z.number().min(0.001).max(100).default(value);

/** α is the Beta distribution's: below 1, most pictures are nearly one of the two. */
export const mixupSchema = z
  .union([z.literal(false), z.strictObject({ p: share, alpha: alpha(0.2) })])
  .default(false);

export const cutmixSchema = z
  .union([z.literal(false), z.strictObject({ p: share, alpha: alpha(1) })])
  .default(false);

/** A picture is mixed in one way or in none, so that the two shares of pictures add up to 1 at most. */
export interface Mixing {
  readonly mixup: z.output<typeof mixupSchema>;
  readonly cutmix: z.output<typeof cutmixSchema>;
}

/** How a picture is mixed with its partner. */
export interface Mix {
  /** The partner's place in the epoch's order. */
  readonly partner: number;
  /** λ of the labels: the picture's own share. */
  readonly own: number;
  /** The picture's weight outside of the box; CutMix has 1. */
  readonly weight: number;
  /** Inside, in pixels, there is the partner alone; null for mixup. */
  readonly box: MixBox | null;
}

export interface MixBox {
  readonly top: number;
  readonly left: number;
  /** Beyond the last row and column of the box. */
  readonly bottom: number;
  readonly right: number;
}

/** Names one drawing; `slot` is the place in the epoch's order, of `slots`. */
export interface MixKey {
  readonly seed: number;
  readonly epoch: number;
  readonly slot: number;
  readonly slots: number;
}

/** Whether any picture may be mixed. */
export function isMixing({ mixup, cutmix }: Mixing): boolean {
  return mixup !== false || cutmix !== false;
}

/** @returns null for a picture that stays alone. The same key gives the same mix, whatever came before */
export function drawMix(
  { mixup, cutmix }: Mixing,
  [height, width]: readonly [number, number],
  { seed, epoch, slot, slots }: MixKey,
): Mix | null {
  const random = new Random(seed, 'mix', epoch, slot);
  const chosen = random.uniform();
  const blended = mixup === false ? 0 : mixup.p;
  const cut = cutmix === false ? 0 : cutmix.p;
  if (slots < 2 || chosen >= blended + cut) return null;
  const partner = (slot + 1 + random.int(slots - 1)) % slots;
  if (mixup !== false && chosen < blended) {
    const own = random.beta(mixup.alpha, mixup.alpha);
    return { partner, own, weight: own, box: null };
  }
  if (cutmix === false) return null;
  const box = drawBox(random, random.beta(cutmix.alpha, cutmix.alpha), height, width);
  const area = (box.bottom - box.top) * (box.right - box.left);
  return { partner, own: 1 - area / (height * width), weight: 1, box };
}

/** Yun et al., eq. 2: a share of 1 − λ of the picture's area, about a point anywhere; cut off at the edges. */
function drawBox(random: Random, own: number, height: number, width: number): MixBox {
  const side = Math.sqrt(1 - own);
  const [halfHeight, halfWidth] = [Math.floor(side * height) >> 1, Math.floor(side * width) >> 1];
  const [y, x] = [random.int(height), random.int(width)];
  return {
    top: Math.max(0, y - halfHeight),
    left: Math.max(0, x - halfWidth),
    bottom: Math.min(height, y + halfHeight),
    right: Math.min(width, x + halfWidth),
  };
}

/**
 * The labels of a mixed picture: λ·y + (1 − λ)·y of the partner; NaN (unknown) where either is unknown, unless the other
 * has all the weight.
 */
export function mixLabels(own: Float32Array, partner: Float32Array, weight: number): Float32Array {
  return own.map((label, c) => {
    const other = partner[c] ?? Number.NaN;
    if (weight === 1) return label;
    if (weight === 0) return other;
    return weight * label + (1 - weight) * other;
  });
}
