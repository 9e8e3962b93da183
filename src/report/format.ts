import type { Interval } from '../eval/metrics/interval.js';
import { decimals, NOTHING } from '../text/numbers.js';

/** Intervals, and words for a shell, as reports write them. Numbers are written as text/numbers.ts has them. */

/** `0.288–0.337` */
export function range({ low, high }: Pick<Interval, 'low' | 'high'>): string {
  return Number.isFinite(low) && Number.isFinite(high) ? `${decimals(low)}–${decimals(high)}` : NOTHING;
}

/** A probability with the digits that tell small ones apart: `0.93`, `0.042`, `0.0017`. */
export function score(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return NOTHING;
  if (value === 0 || value >= 0.1) return value.toFixed(2);
  return value >= 0.01 ? value.toFixed(3) : value >= 1e-4 ? value.toFixed(4) : 'below 0.0001';
}

/** Why there is no interval, in words; null where there is one. */
export function noInterval({ whyMissing }: Interval): string | null {
  return whyMissing === null ? null : `no interval: ${whyMissing}`;
}

/** A word for a shell: quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
