import type { Random } from '#src/engine/random.js';
import type { TextEmbeddings } from '#src/zeroshot/scoring/text-embeddings.js';

/** Random unit rows, and prompts for classes around random directions. */

export function unitRows(random: Random, n: number, width: number): Float32Array {
  const rows = Float32Array.from({ length: n * width }, () => random.normal());
  for (let i = 0; i < n; i++) {
    const row = rows.subarray(i * width, (i + 1) * width);
    const length = Math.hypot(...row);
    row.forEach((value, j) => {
      row[j] = value / length;
    });
  }
  return rows;
}

export function sampleTexts(random: Random, names: readonly string[], width: number): TextEmbeddings {
  const classes = names.map((name) => {
    const groups = new Map([
      ['clinical', unitRows(random, 3, width)],
      ['appearance', unitRows(random, 2, width)],
    ]);
    return [name, { groups, negative: unitRows(random, 2, width), neutral: new Float32Array() }] as const;
  });
  return { width, classes: new Map(classes), neutral: unitRows(random, 2, width) };
}

/** One-letter names. */
export const letters = (count: number) => Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ').slice(0, count);
