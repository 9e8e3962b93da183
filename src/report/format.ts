import type { Interval } from '../eval/metrics/interval.js';

/** How numbers are written, everywhere in the report alike. What is not there is an en dash, never a 0. */

export const NOTHING = '–';

type MaybeNumber = number | null | undefined;

/** 0.3141 → `0.314` */
export function decimals(value: MaybeNumber, digits = 3): string {
  return isNumber(value) ? value.toFixed(digits) : NOTHING;
}

/** 12345 → `12,345` */
export function count(value: MaybeNumber): string {
  return isNumber(value) ? wholeNumber.format(value) : NOTHING;
}

// made once: making one takes longer than a hundred uses
const wholeNumber = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1 image`, `2 images` */
export function counted(value: number, singular: string, plural = `${singular}s`): string {
  return `${count(value)} ${value === 1 ? singular : plural}`;
}

/** A fraction as a percentage, with more digits the rarer: `12.5 %`, `0.52 %`, `0.061 %`. */
export function percent(fraction: MaybeNumber): string {
  if (!isNumber(fraction)) return NOTHING;
  const value = 100 * fraction;
  const digits = value === 0 || value >= 10 ? 1 : value >= 0.1 ? 2 : 3;
  return `${value.toFixed(digits)} %`;
}

/** How many times the guess: `5.3 ×`; `–` where there is no guess to compare with. */
export function times(value: MaybeNumber, guess: MaybeNumber): string {
  if (!isNumber(value) || !isNumber(guess) || guess <= 0) return NOTHING;
  const ratio = value / guess;
  return `${ratio < 10 ? ratio.toFixed(1) : ratio.toFixed(0)} ×`;
}

/** `0.288–0.337` */
export function range({ low, high }: Interval): string {
  return isNumber(low) && isNumber(high) ? `${decimals(low)}–${decimals(high)}` : NOTHING;
}

/** Why there is no interval, in words; null where there is one. */
export function noInterval({ whyMissing }: Interval): string | null {
  return whyMissing === null ? null : `no interval: ${whyMissing}`;
}

/** A difference with its sign: `+0.021`, `−0.004`. */
export function signed(value: MaybeNumber): string {
  if (!isNumber(value)) return NOTHING;
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;
}

/** `47 s`, `3 min 20 s`, `2 h 05 min` */
export function duration(seconds: MaybeNumber): string {
  if (!isNumber(seconds)) return NOTHING;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** `312 MiB` */
export function mebibytes(bytes: MaybeNumber): string {
  return isNumber(bytes) ? `${count(Math.ceil(bytes / 2 ** 20))} MiB` : NOTHING;
}

/** A word for a shell: quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function isNumber(value: MaybeNumber): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
