import type { LabelledPart } from '../run-labels.js';

/** For one class, the images that tell most: found with the highest score, raised wrongly with the highest, missed with the lowest. */

export const OUTCOMES = ['right', 'wrong', 'missed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface ClassCase {
  readonly outcome: Outcome;
  /** Row of the part. */
  readonly row: number;
  readonly score: number;
}

/**
 * Up to `most` images of each outcome, each patient once in an outcome. Images whose label is unknown are not chosen.
 * @param column of scores and targets
 * @param threshold scores from it on count as found; NaN: none does, and there is nothing to choose
 */
export function classCases(
  part: LabelledPart,
  column: number,
  threshold: number,
  most: number,
): Record<Outcome, ClassCase[]> {
  const classes = part.scores.length / part.n;
  const cases: Record<Outcome, ClassCase[]> = { right: [], wrong: [], missed: [] };
  for (let row = 0; row < part.n; row++) {
    const score = part.scores[row * classes + column] ?? Number.NaN;
    const outcome = outcomeOf(score, part.targets[row * classes + column] ?? Number.NaN, threshold);
    if (outcome !== null) cases[outcome].push({ outcome, row, score });
  }
  cases.missed.sort((a, b) => a.score - b.score || a.row - b.row);
  for (const outcome of ['right', 'wrong'] as const) {
    cases[outcome].sort((a, b) => b.score - a.score || a.row - b.row);
  }
  for (const outcome of OUTCOMES) cases[outcome] = ofDifferentPatients(cases[outcome], part, most);
  return cases;
}

/** Null where it is neither: rightly not found, or not known. */
export function outcomeOf(score: number, target: number, threshold: number): Outcome | null {
  if (Number.isNaN(threshold) || Number.isNaN(target)) return null;
  if (score >= threshold) return target === 1 ? 'right' : 'wrong';
  return target === 1 ? 'missed' : null;
}

function ofDifferentPatients(
  cases: readonly ClassCase[],
  { patients }: LabelledPart,
  most: number,
): ClassCase[] {
  const seen = new Set<string>();
  const chosen: ClassCase[] = [];
  for (const each of cases) {
    if (chosen.length === most) break;
    const patient = patients[each.row] ?? `row ${each.row}`;
    if (seen.has(patient)) continue;
    seen.add(patient);
    chosen.push(each);
  }
  return chosen;
}
