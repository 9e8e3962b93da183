import { gateByNormal, type NormalGate } from '../eval/normal-gating.js';
import { unknownName } from '../recipe/known-names.js';
import { EvaluationError } from './labelled-scores.js';
import type { Predictions } from './predictions.js';

/** Scores of findings, lowered by each image's own score of Normal. @throws EvaluationError where no class is Normal */
export function gatePredictions({ classes, rows }: Predictions, gate: NormalGate): Predictions {
  const column = requireNormal(classes, gate.normal);
  return {
    classes,
    rows: rows.map((row) => {
      if (row.probabilities === null) return row;
      const scores = Float64Array.from(row.probabilities);
      gateByNormal(scores, classes, scores[column] as number, gate);
      return { ...row, probabilities: Float32Array.from(scores) };
    }),
  };
}

/** The column of the class, looked for before images are scored. @throws EvaluationError where there is none */
export function requireNormal(classes: readonly string[], normal: string): number {
  const column = classes.indexOf(normal);
  if (column >= 0) return column;
  throw new EvaluationError(`normal gating: ${unknownName('class', normal, classes)}.`);
}
