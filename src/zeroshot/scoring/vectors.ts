import { ScoringError } from './scoring-error.js';

/** Rows of embeddings in float64. */

/** Shorter vectors than this have no direction: what is left of equal f32 embeddings after a subtraction is rounding. */
const SHORTEST = 1e-6;

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/**
 * The rows with length 1.
 * @param values [n, width]
 * @param place of a row, before its number: `image`
 * @param why a row may be too short, for the message
 * @throws ScoringError where they are not rows of that width, or one is not finite or has no direction
 */
export function unitRows(
  values: ArrayLike<number>,
  width: number,
  place: string,
  why = 'an embedding has a direction',
): Float64Array {
  if (values.length % width !== 0) {
    throw new ScoringError(
      `${place}: ${values.length} values are no rows of ${width}, which is the width of the text embeddings. ` +
        'Take images and texts from one and the same model.',
    );
  }
  const rows = Float64Array.from(values);
  for (let from = 0; from < rows.length; from += width) {
    const row = rows.subarray(from, from + width);
    const length = Math.sqrt(dot(row, row));
    if (!Number.isFinite(length)) throw new ScoringError(`${place} ${from / width}: holds NaN or infinity.`);
    if (length < SHORTEST) throw new ScoringError(`${place} ${from / width}: has length 0; ${why}.`);
    for (let i = 0; i < width; i++) row[i] = (row[i] as number) / length;
  }
  return rows;
}

/** [width]: mean of the rows. */
export function meanRow(rows: Float64Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) mean[i % width] = (mean[i % width] as number) + (rows[i] as number);
  return mean.map((sum) => (sum * width) / rows.length);
}

/** exp(values / temperature) with sum 1, in place; the largest is taken off first, so that nothing overflows. */
export function softmax(values: Float64Array, temperature: number): Float64Array {
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const e = Math.exp(((values[i] as number) - largest) / temperature);
    values[i] = e;
    sum += e;
  }
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / sum;
  return values;
}
