import type { LabelledPart } from '../run-labels.js';

/** Images worth looking at: the model is surest about them and right, or surest about them and wrong. */

export interface SampleCase {
  readonly image: string;
  /** The labelled findings, as columns. */
  readonly present: readonly number[];
  /** All columns, from the highest probability to the lowest. */
  readonly ranked: readonly number[];
  /** [classes] probabilities. */
  readonly scores: Float32Array;
  /** [classes] of 1, 0 or NaN. */
  readonly targets: Float32Array;
  /** Probability of the least probable present finding, minus that of the most probable absent one. */
  readonly margin: number;
}

/**
 * The `most` images with the largest margins and the `most` with the smallest. Each patient and each set of findings
 * is shown once, so that ten normal chests don't fill the page. Images without a labelled finding are not chosen.
 */
export function extremeCases(part: LabelledPart, most: number): { best: SampleCase[]; worst: SampleCase[] } {
  const cases = Array.from({ length: part.n }, (_, i) => caseOf(part, i)).filter(
    ({ sample }) => sample.present.length > 0 && Number.isFinite(sample.margin),
  );
  cases.sort((a, b) => b.sample.margin - a.sample.margin || a.row - b.row);
  const best = distinct(
    cases.filter(({ sample }) => sample.margin > 0),
    most,
  );
  const worst = distinct(cases.filter(({ sample }) => sample.margin <= 0).reverse(), most);
  return { best, worst };
}

interface Candidate {
  readonly row: number;
  readonly patient: string;
  readonly sample: SampleCase;
}

function caseOf(part: LabelledPart, row: number): Candidate {
  const sample = sampleCase(part, row);
  return { row, patient: part.patients[row] ?? `image ${sample.image}`, sample };
}

/** One image of a part with its labels and scores. */
export function sampleCase(part: LabelledPart, row: number): SampleCase {
  const classes = part.scores.length / part.n;
  const scores = part.scores.subarray(row * classes, (row + 1) * classes);
  const targets = part.targets.subarray(row * classes, (row + 1) * classes);
  const columns = [...scores.keys()];
  const score = (column: number) => scores[column] ?? 0;
  const present = columns.filter((column) => targets[column] === 1);
  const absent = columns.filter((column) => targets[column] === 0);
  return {
    image: part.images[row] ?? '',
    present,
    ranked: columns.sort((a, b) => score(b) - score(a)),
    scores,
    targets,
    margin: Math.min(...present.map(score)) - Math.max(...absent.map(score)),
  };
}

function distinct(candidates: readonly Candidate[], most: number): SampleCase[] {
  const patients = new Set<string>();
  const findings = new Set<string>();
  const chosen: SampleCase[] = [];
  for (const { patient, sample } of candidates) {
    const set = sample.present.join();
    if (chosen.length === most) break;
    if (patients.has(patient) || findings.has(set)) continue;
    patients.add(patient);
    findings.add(set);
    chosen.push(sample);
  }
  return chosen;
}
