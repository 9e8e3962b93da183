/**
 * The learning rate of every step, as a pure function of the step: a resumed run needs no state for it.
 *
 * Linear warm-up over W steps, then constant or half a cosine (Loshchilov & Hutter, SGDR, 2017, eq. 5, without
 * restarts) down to a floor:
 *
 *     s < W:   (s + 1) / W
 *     s ≥ W:   floor + (1 − floor) · ½ (1 + cos π t),   t = (s − W) / (S − W)
 *
 * for step s of S. t never quite reaches 1: the last step still learns. A clipped cosine goes towards 0 instead, and stops at
 * the floor: max(floor, ½ (1 + cos π t)). By epoch, s, W and S count epochs, and all steps of an epoch share a factor.
 */
export interface Schedule {
  readonly kind: 'cosine' | 'clipped-cosine' | 'constant';
  /** S: steps of the whole run. */
  readonly totalSteps: number;
  /** W: steps until the full rate. */
  readonly warmupSteps: number;
  /** Fraction of the full rate that the cosine ends at, in [0, 1]. */
  readonly floor: number;
  /** Steps that share a factor: those of an epoch, or 1 when absent. */
  readonly every?: number;
}

/** What the base learning rate is multiplied with at `step` (from 0), in (0, 1]. */
export function scheduleFactor(schedule: Schedule, step: number): number {
  const { kind, floor, every = 1 } = schedule;
  const [at, total, warmup] = [
    Math.floor(step / every),
    schedule.totalSteps / every,
    schedule.warmupSteps / every,
  ];
  if (at < warmup) return (at + 1) / warmup;
  if (kind === 'constant') return 1;
  const progress = Math.min(1, (at - warmup) / Math.max(1, total - warmup));
  const cosine = 0.5 * (1 + Math.cos(Math.PI * progress));
  return kind === 'cosine' ? floor + (1 - floor) * cosine : Math.max(floor, cosine);
}

export interface EmaSchedule {
  /** Decay once warmed up, in [0, 1). */
  readonly decay: number;
  /** Start from a short memory, so that the random initial weights are forgotten at once. */
  readonly warmup: boolean;
}

/**
 * Decay of the exponential moving average at update n (from 0). With warm-up it is min(decay, 1 − (1 + n)^(−2/3)),
 * timm's `ModelEmaV3` with γ = 1 and power ⅔: the first update copies the weights.
 */
export function emaDecay({ decay, warmup }: EmaSchedule, update: number): number {
  return warmup ? Math.min(decay, 1 - (1 + update) ** (-2 / 3)) : decay;
}
