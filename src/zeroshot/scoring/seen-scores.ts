import type { Predictions } from '../../predict/predictions.js';
import { unknownName } from '../../recipe/known-names.js';
import { counted } from '../../text/numbers.js';
import type { SeenScores } from './rule.js';
import { ScoringError } from './scoring-error.js';

/** Scores of a model that was trained on seen classes, out of its predictions.csv. */
export interface SeenPredictions {
  readonly predictions: Predictions;
  /** Of the file, for messages. */
  readonly path: string;
}

/** Only the columns of some classes. @throws ScoringError naming a class without a column */
export function onlyClasses(
  { predictions: { classes, rows }, path }: SeenPredictions,
  wanted: readonly string[],
): SeenPredictions {
  const columns = wanted.map((name) => {
    const column = classes.indexOf(name);
    if (column >= 0) return column;
    throw new ScoringError(`${path}: ${unknownName('column', name, classes)}.`);
  });
  const picked = rows.map(({ probabilities, ...row }) => ({
    ...row,
    probabilities: probabilities && columns.map((column) => probabilities[column] ?? Number.NaN),
  }));
  return { predictions: { classes: wanted, rows: picked }, path };
}

/**
 * Before images are embedded, which takes long: whether each has a row, be it without scores.
 * @throws ScoringError naming some that have none
 */
export function requireSeenRows(
  { predictions: { rows }, path }: SeenPredictions,
  images: readonly string[],
): void {
  const there = new Set(rows.map(({ image }) => image));
  const missing = images.filter((image) => !there.has(image));
  if (missing.length === 0) return;
  throw new ScoringError(
    `${path}: has no row for ${missing.length} of ${counted(images.length, 'image')} (${someOf(missing)}): predict all.`,
  );
}

/**
 * [images, classes], in the order of the images.
 * @throws ScoringError naming images without a row or scores, and what is no probability
 */
export function seenScores(seen: SeenPredictions, images: readonly string[]): SeenScores {
  requireSeenRows(seen, images);
  const { classes, rows } = seen.predictions;
  const rowOf = new Map(rows.map((row) => [row.image, row]));
  const unread = images.filter((image) => rowOf.get(image)?.probabilities === null);
  const [first] = unread;
  if (first !== undefined) {
    throw new ScoringError(
      `${seen.path}: has no scores for ${counted(unread.length, 'image')} that can be embedded (${someOf(unread)}); the note of ` +
        `the first is "${rowOf.get(first)?.note}". Read images in the same way in both: with --lenient, or without.`,
    );
  }
  const scores = Float32Array.from(
    images.flatMap((image) => Array.from(rowOf.get(image)?.probabilities ?? [])),
  );
  const odd = scores.findIndex((score) => !(score >= 0 && score <= 1));
  if (odd < 0) return { classes, scores };
  throw new ScoringError(
    `${seen.path}: the score of class "${classes[odd % classes.length]}" for ` +
      `${images[Math.floor(odd / classes.length)]} is ${scores[odd]}, which is no probability.`,
  );
}

function someOf(names: readonly string[]): string {
  return `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
}
