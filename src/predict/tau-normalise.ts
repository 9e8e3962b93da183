import type { DataPart } from '../data/tables/data-source.js';
import { meanOfDefined } from '../eval/metrics/class-metrics.js';
import { summarize } from '../eval/metrics/summarize.js';
import { type ClassifierRows, scaleProbability, tauFactors } from '../eval/tau-normalisation.js';
import { toFloat32 } from '../models/safetensors/safetensors.js';
import { type Checkpoint, networkOf } from '../weights/checkpoint.js';
import { EvaluationError, joinLabels } from './labelled-scores.js';
import type { Predictions } from './predictions.js';

/** A trained model's predictions as its τ-normalised classifier would have given them; see eval/tau-normalisation.ts. */

/** What is tried to choose τ. */
const GRID = Array.from({ length: 11 }, (_, i) => i / 10);

/** @throws EvaluationError for a head that is no linear layer */
export function classifierRows(
  checkpoint: Pick<Checkpoint, 'model' | 'preprocessing' | 'tensors'>,
): ClassifierRows {
  const { model, tensors } = checkpoint;
  if (model.head.name !== 'linear') {
    throw new EvaluationError(
      `--tau-norm is for linear heads, whose logits are a row times the features; this model has the head "${model.head.name}".`,
    );
  }
  const names = networkOf(checkpoint).parameters.flatMap(({ name, group }) =>
    group === 'head' ? [name] : [],
  );
  const values = (end: string) => {
    const tensor = tensors.get(names.find((name) => name.endsWith(end)) ?? '');
    if (tensor === undefined) throw new RangeError(`the linear head has no ${end}`);
    return toFloat32(tensor);
  };
  const [weights, biases] = [values('.weight'), values('.bias')];
  const width = weights.length / biases.length;
  return {
    // never 0, for a class whose row is all zero has nothing to normalise
    lengths: Array.from(biases, (_, c) => Math.hypot(...weights.subarray(c * width, (c + 1) * width)) || 1),
    biases: [...biases],
  };
}

/** @param tau see `tauFactors` */
export function tauNormalise(
  { classes, rows }: Predictions,
  classifier: ClassifierRows,
  tau: number,
): Predictions {
  const factors = tauFactors(classifier, tau);
  return {
    classes,
    rows: rows.map((row) => ({
      ...row,
      probabilities:
        row.probabilities &&
        Float32Array.from(row.probabilities, (p, c) =>
          scaleProbability(p, classifier.biases[c] ?? 0, factors[c] ?? 1),
        ),
    })),
  };
}

export interface ChosenTau {
  readonly tau: number;
  /** Macro F1 at 0.5 of each τ that was tried. */
  readonly tried: readonly { readonly tau: number; readonly f1: number }[];
}

/**
 * The τ of 0, 0.1, … 1 with the highest macro F1 at 0.5, the least of equals. (AP and AUROC are the same for all.)
 * @param predictions of images that were not trained on, and that nothing else is measured on
 * @throws EvaluationError as `joinLabels`
 */
export function chooseTau(
  predictions: Predictions,
  parts: readonly DataPart[],
  classifier: ClassifierRows,
): ChosenTau {
  const { classes } = predictions;
  const tried = GRID.map((tau) => {
    const { n, scores, targets } = joinLabels(tauNormalise(predictions, classifier, tau), parts);
    const { perClass } = summarize(scores, targets, { n, classes: classes.length, classNames: classes });
    return { tau, f1: meanOfDefined(perClass.map(({ f1 }) => f1)) };
  });
  const best = tried.reduce((leader, each) => (each.f1 > leader.f1 ? each : leader));
  return { tau: best.tau, tried };
}
