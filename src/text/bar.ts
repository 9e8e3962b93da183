/**
 * A value in [0, 1] as a bar of letters, with the ends of its interval: `████├██▌──┤`. The bar has eighths of a letter;
 * where the terminal knows ASCII only, whole ones: `####|##--|`. An end that falls into the letter in which the bar ends
 * is not drawn: it can't be told from it.
 */

export interface BarValue {
  /** NaN draws nothing. */
  readonly value: number;
  /** Of the interval; NaN where there is none. */
  readonly low: number;
  readonly high: number;
}

export interface BarLetters {
  /** Parts of a letter, from the smallest to the whole one. */
  readonly parts: string;
  readonly low: string;
  readonly high: string;
  /** From the end of the bar to that of the interval. */
  readonly between: string;
}

export const BLOCKS: BarLetters = { parts: '▏▎▍▌▋▊▉█', low: '├', high: '┤', between: '─' };
export const ASCII: BarLetters = { parts: '#', low: '|', high: '|', between: '-' };

/** @param width columns for the whole range from 0 to 1; the text may be shorter */
export function bar({ value, low, high }: BarValue, width: number, letters: BarLetters = BLOCKS): string {
  if (Number.isNaN(value)) return '';
  const { parts } = letters;
  const whole = parts.at(-1) ?? '';
  const eighths = Math.round(clamped(value) * width * parts.length);
  const full = Math.floor(eighths / parts.length);
  const cells = Array.from({ length: full }, () => whole);
  const rest = eighths % parts.length;
  if (rest > 0) cells.push(parts[rest - 1] ?? '');
  const last = Math.max(0, cells.length - 1);
  const place = (end: number) => Math.min(width - 1, Math.floor(clamped(end) * width));
  if (place(low) < last) cells[place(low)] = letters.low;
  if (place(high) > last) {
    while (cells.length < place(high)) cells.push(letters.between);
    cells[place(high)] = letters.high;
  }
  return cells.join('');
}

function clamped(value: number): number {
  return Math.min(1, Math.max(0, value));
}
