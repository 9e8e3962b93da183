/** How numbers are written, on the terminal and in pages alike. A number that is not there is an en dash, never a 0. */

export const NOTHING = '–';

export type MaybeNumber = number | null | undefined;

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

/**
 * A fraction as a percentage, with more digits the rarer: `12.5 %`, `0.52 %`, `0.061 %`.
 * @param digits digits after the point; chosen as above when absent
 */
export function percent(fraction: MaybeNumber, digits?: number): string {
  if (!isNumber(fraction)) return NOTHING;
  const value = 100 * fraction;
  return `${value.toFixed(digits ?? (value === 0 || value >= 10 ? 1 : value >= 0.1 ? 2 : 3))} %`;
}

/** A fraction that is a round percentage, such as a tick of an axis: `10 %`, `0.01 %`. */
export function roundPercent(fraction: number): string {
  return `${significant(100 * fraction, 1)} %`;
}

/** How many times: `5.3`, from 10 on `12`. */
export function ratio(value: MaybeNumber): string {
  return isNumber(value) ? value.toFixed(value < 10 ? 1 : 0) : NOTHING;
}

/** How many times the guess: `5.3 ×`; `–` where there is no guess to compare with. */
export function times(value: MaybeNumber, guess: MaybeNumber): string {
  return isNumber(value) && isNumber(guess) && guess > 0 ? `${ratio(value / guess)} ×` : NOTHING;
}

/** A difference with its sign: `+0.021`, `−0.004`. */
export function signed(value: MaybeNumber, digits = 3): string {
  if (!isNumber(value)) return NOTHING;
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}

/** Three digits, whatever the size: `0.123`, `1.23`, `12.3`, `123`. */
export function threeDigits(value: MaybeNumber): string {
  if (!isNumber(value)) return NOTHING;
  if (value >= 99.95) return value.toFixed(0);
  if (value >= 9.995) return value.toFixed(1);
  return value.toFixed(value >= 0.9995 ? 2 : 3);
}

const SCALES = [
  ['T', 1e12],
  ['G', 1e9],
  ['M', 1e6],
  ['k', 1e3],
] as const;

/** At most so many significant digits, without zeros at the end: 0.0625 by 3 → `0.0625`, 0.123456 by 3 → `0.123`. */
export function significant(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

/** With a metric prefix, to be followed by a unit: 1.23e9 → `1.2 G`, 12 → `12 `. */
export function scaled(value: number): string {
  for (const [prefix, size] of SCALES) if (value >= size) return `${(value / size).toFixed(1)} ${prefix}`;
  return `${value} `;
}

function isNumber(value: MaybeNumber): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
