import { type Interval, noInterval } from './interval.js';
import { normalCdf, normalQuantile } from './normal.js';
import { type NumberedPatients, numberPatients, type PatientDraws } from './patient-draws.js';
import { tallyRocAuc } from './roc.js';
import { endsLevel, isPositive, type Ranking, rankScores, rowOf, type Tally, tally } from './tally.js';

/**
 * How sure an area under the ROC curve is, without draws: DeLong, DeLong & Clarke-Pearson (1988), and with several images of
 * a patient Obuchowski (1997, "Nonparametric analysis of clustered ROC curve data"), which is the same where each patient
 * has one image. Every positive has a component, the share of negatives that it outscores (ties count half), and every
 * negative likewise; their spread over patients is the variance of their mean.
 */

export interface DeLongOptions {
  /** [n]: whose image each row is; null (or no list) takes the image as a patient of its own. */
  readonly patients?: PatientDraws['patients'];
  /** Coverage of the interval in (0, 1); 0.95 when absent. */
  readonly level?: number;
}

/** A difference of two models on the same images, with a two-sided test of its being 0. */
export interface TestedDifference {
  /** Second minus first, with DeLong's interval. */
  readonly interval: Interval;
  /** NaN where there is no interval. */
  readonly p: number;
}

/**
 * Area under the ROC curve with DeLong's interval on the scale of the logit, log(A / (1 − A)), so that it stays between 0
 * and 1 and is longer on the side of ½ (Pepe 2003, "The Statistical Evaluation of Medical Tests", section 5.2).
 * @param scores [n] any finite numbers @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @throws MetricError as `rocAuc`
 */
export function delongInterval(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  { patients, level = 0.95 }: DeLongOptions = {},
): Interval {
  const numbered = numberPatients({ n: scores.length, ...(patients && { patients }) });
  return intervalOfComponents(aurocComponents(rankScores(scores, targets), numbered), level);
}

/**
 * How much larger the second model's area is, and whether that can be chance.
 * @param first @param second [n] scores of either model @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @throws MetricError as `rocAuc`
 */
export function delongDifference(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  targets: ArrayLike<number>,
  { patients, level = 0.95 }: DeLongOptions = {},
): TestedDifference {
  const numbered = numberPatients({ n: first.length, ...(patients && { patients }) });
  const components = (scores: ArrayLike<number>) => aurocComponents(rankScores(scores, targets), numbered);
  return differenceOfComponents(components(first), components(second), level);
}

/** An area and how far each patient's images lie from it. */
export interface AurocComponents {
  /** NaN unless both outcomes occur. */
  readonly auroc: number;
  readonly positives: number;
  readonly negatives: number;
  /** Patients with known images, with positives, and with negatives. */
  readonly counts: { readonly all: number; readonly positive: number; readonly negative: number };
  /** [patients] Σ over the patient's positives of (component − area). */
  readonly ofPositives: Float64Array;
  /** [patients] the same over negatives. */
  readonly ofNegatives: Float64Array;
}

/** @param counted the ranking, each image once */
export function aurocComponents(
  ranking: Ranking,
  { count, indexOf }: NumberedPatients,
  counted: Tally = tally(ranking),
): AurocComponents {
  const { below, positivesBelow, positiveTotal, negativeTotal } = counted;
  const auroc = tallyRocAuc(counted);
  const ofPositives = new Float64Array(count);
  const ofNegatives = new Float64Array(count);
  const seen = new Uint8Array(count);
  let level = 0;
  for (const example of ranking.examples) {
    const positivesUnder = positivesBelow[level] as number;
    const positivesHere = (positivesBelow[level + 1] as number) - positivesUnder;
    const patient = indexOf[rowOf(example)] as number;
    if (isPositive(example)) {
      const negativesUnder = (below[level] as number) - positivesUnder;
      const negativesHere = (below[level + 1] as number) - (below[level] as number) - positivesHere;
      const outscored = (negativesUnder + negativesHere / 2) / negativeTotal;
      ofPositives[patient] = (ofPositives[patient] as number) + outscored - auroc;
      seen[patient] = (seen[patient] as number) | 1;
    } else {
      const outscoring = (positiveTotal - positivesUnder - positivesHere / 2) / positiveTotal;
      ofNegatives[patient] = (ofNegatives[patient] as number) + outscoring - auroc;
      seen[patient] = (seen[patient] as number) | 2;
    }
    if (endsLevel(example)) level++;
  }
  const having = (bits: number) => seen.reduce((sum, each) => sum + Number((each & bits) !== 0), 0);
  return {
    auroc,
    positives: positiveTotal,
    negatives: negativeTotal,
    counts: { all: having(3), positive: having(1), negative: having(2) },
    ofPositives,
    ofNegatives,
  };
}

/**
 * Covariance of two models' areas on the same images (the variance, of one model twice): Obuchowski's equations with the
 * patients as clusters. NaN unless two patients or more have positives, and two or more negatives.
 */
export function aurocCovariance(a: AurocComponents, b: AurocComponents): number {
  const { positives, negatives, counts } = a;
  if (counts.positive < 2 || counts.negative < 2) return Number.NaN;
  let [ofPositives, ofNegatives, across] = [0, 0, 0];
  for (let i = 0; i < a.ofPositives.length; i++) {
    const [aPositive, aNegative] = [a.ofPositives[i] as number, a.ofNegatives[i] as number];
    const [bPositive, bNegative] = [b.ofPositives[i] as number, b.ofNegatives[i] as number];
    ofPositives += aPositive * bPositive;
    ofNegatives += aNegative * bNegative;
    across += aPositive * bNegative + aNegative * bPositive;
  }
  const unbiased = (patients: number) => patients / (patients - 1);
  return (
    (unbiased(counts.positive) * ofPositives) / positives ** 2 +
    (unbiased(counts.negative) * ofNegatives) / negatives ** 2 +
    (unbiased(counts.all) * across) / (positives * negatives)
  );
}

/** The interval of one area; see `delongInterval`. */
export function intervalOfComponents(components: AurocComponents, level: number): Interval {
  const { auroc } = components;
  const reason = whyUnsure(components);
  if (reason !== null) return noInterval(auroc, level, 0, reason);
  const error = Math.sqrt(aurocCovariance(components, components));
  if (!(error > 0)) {
    return noInterval(
      auroc,
      level,
      0,
      auroc === 1 || auroc === 0 ? 'the order is perfect' : 'no spread over patients',
    );
  }
  const reach = (normalQuantile((1 + level) / 2) * error) / (auroc * (1 - auroc));
  const logit = Math.log(auroc / (1 - auroc));
  const end = (value: number) => 1 / (1 + Math.exp(-value));
  const [low, high] = [end(logit - reach), end(logit + reach)];
  return { estimate: auroc, low, high, level, resamples: 0, method: 'DeLong', whyMissing: null };
}

/** The difference of two areas, second minus first; see `delongDifference`. */
export function differenceOfComponents(
  first: AurocComponents,
  second: AurocComponents,
  level: number,
): TestedDifference {
  const estimate = second.auroc - first.auroc;
  const variance =
    aurocCovariance(first, first) + aurocCovariance(second, second) - 2 * aurocCovariance(first, second);
  // two models that rank alike leave rounding errors
  const reason = whyUnsure(first) ?? (variance > 1e-20 ? null : 'both rank the images alike');
  if (reason !== null) return { interval: noInterval(estimate, level, 0, reason), p: Number.NaN };
  const error = Math.sqrt(variance);
  const reach = normalQuantile((1 + level) / 2) * error;
  return {
    interval: {
      estimate,
      low: estimate - reach,
      high: estimate + reach,
      level,
      resamples: 0,
      method: 'DeLong',
      whyMissing: null,
    },
    p: 2 * normalCdf(-Math.abs(estimate) / error),
  };
}

function whyUnsure({ positives, negatives, counts }: AurocComponents): string | null {
  if (counts.all === 0) return 'no known target';
  if (positives === 0) return 'no positive target';
  if (negatives === 0) return 'no negative target';
  if (counts.positive < 2) return 'one patient alone has positives';
  return counts.negative < 2 ? 'one patient alone has negatives' : null;
}
