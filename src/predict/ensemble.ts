import { EvaluationError } from './labelled-scores.js';
import type { Prediction, Predictions } from './predictions.js';

/** One model of an ensemble, by its scores: models may differ in architecture, size and preprocessing. */
export interface EnsembleMember {
  readonly predictions: Predictions;
  /** 0 or larger. */
  readonly weight: number;
  /** For messages: the checkpoint's path. */
  readonly name: string;
}

/**
 * The weighted mean of the members' probabilities, computed in float64. Weights are divided by their sum. Classes are
 * joined by name, in the first member's order, and rows by image. An image that one member could not read has no scores.
 * @throws EvaluationError for other classes or images than the first member's, and for weights without a sum
 */
export function ensemblePredictions(members: readonly EnsembleMember[]): Predictions {
  const [first] = members;
  if (first === undefined) throw new EvaluationError('an ensemble has at least one model.');
  const weights = normalisedWeights(members.map(({ weight }) => weight));
  const { classes, rows } = first.predictions;
  requireSameClasses(members.map(({ name, predictions }) => ({ name, classes: predictions.classes })));
  const others = members.map((member) => ({
    columns: classes.map((name) => member.predictions.classes.indexOf(name)),
    rowOf: new Map(member.predictions.rows.map((row) => [row.image, row])),
    name: member.name,
  }));
  return {
    classes,
    rows: rows.map((row): Prediction => {
      const scores = new Float64Array(classes.length);
      let note = row.note;
      for (const [m, { columns, rowOf, name }] of others.entries()) {
        const own = rowOf.get(row.image);
        if (own === undefined) throw new EvaluationError(`${name}: has no row for image ${row.image}.`);
        if (own.probabilities === null) return { ...own, split: row.split };
        note ||= own.note;
        for (const [c, column] of columns.entries()) {
          scores[c] = (scores[c] as number) + (weights[m] as number) * (own.probabilities[column] as number);
        }
      }
      return { ...row, note, probabilities: Float32Array.from(scores) };
    }),
  };
}

/** Before images are scored. @throws EvaluationError naming the classes that only some have */
export function requireSameClasses(
  members: readonly { readonly name: string; readonly classes: readonly string[] }[],
): void {
  const [first, ...others] = members;
  for (const other of others) {
    if (first === undefined) return;
    const missing = first.classes.filter((name) => !other.classes.includes(name));
    const additional = other.classes.filter((name) => !first.classes.includes(name));
    if (missing.length === 0 && additional.length === 0) continue;
    const reasons = [
      ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
      ...(additional.length > 0 ? [`has ${additional.join(', ')} besides`] : []),
    ];
    throw new EvaluationError(
      `${other.name}: ${reasons.join(' and ')}, compared with ${first.name}. Models of an ensemble have the same classes, ` +
        'in any order.',
    );
  }
}

/** @throws EvaluationError for a weight below 0, or none above it */
function normalisedWeights(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum > 0 && Number.isFinite(sum) && weights.every((weight) => weight >= 0)) {
    return weights.map((weight) => weight / sum);
  }
  throw new EvaluationError(`weights ${weights.join(', ')}: each must be 0 or larger, and one larger.`);
}
