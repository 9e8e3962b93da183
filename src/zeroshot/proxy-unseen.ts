import { Random } from '../engine/random.js';
import { bootstrapMetrics, pairedBootstrapInterval } from '../eval/metrics/bootstrap.js';
import { measureClasses, rankClasses } from '../eval/metrics/class-metrics.js';
import type { Interval } from '../eval/metrics/interval.js';
import type { PatientDraws } from '../eval/metrics/patient-draws.js';
import { type Candidate, defaultCandidates } from './proxy-candidates.js';
import { gatherColumns, scoreHeldOut } from './proxy-scores.js';
import type { BoundRule, SeenScores } from './scoring/rule.js';
import { columnsOf, prepareScoring, type ZeroShotInputs } from './scoring/score-zeroshot.js';
import { ScoringError, UnseenLabelError } from './scoring/scoring-error.js';
import { bindRules, canChangeRanking, describeRules } from './scoring/scoring-rules.js';
import { namesOfUnseen } from './unseen-names.js';

/**
 * Choosing among rules without a label of an unseen class. Seen classes are held out in turn, as if they were unseen: their
 * labels do nothing but judge, and a seen model's scores of them are hidden from the rules.
 */

export interface ProxyUnseenOptions extends ZeroShotInputs, Omit<PatientDraws, 'n'> {
  /** [n, labelClasses]: 1, 0 or NaN (unknown) */
  readonly labels: ArrayLike<number>;
  /** Names of the columns of `labels`. */
  readonly labelClasses: readonly string[];
  /** The classes that nobody labelled; labels and seen scores of none of them are accepted. */
  readonly unseen: readonly string[];
  /** Lists of rules; `defaultCandidates` when absent. */
  readonly candidates?: readonly Candidate[];
  /** Classes with whose labels the model was trained: no stand-ins for unseen ones, so never held out. */
  readonly trained?: readonly string[];
  /** Groups of classes that are held out one after the other; 5 when absent. */
  readonly folds?: number;
  /** Label columns that are never held out, as they name no finding; `['Normal']` when absent. */
  readonly neverHeldOut?: readonly string[];
  /** By which the best is found; `mean-ap` when absent. */
  readonly by?: 'mean-ap' | 'mean-rank';
  /** Coverage of the intervals; 0.95 when absent. */
  readonly level?: number;
}

export interface CandidateResult extends Candidate {
  /** The rules with the parameters that are not defaults. */
  readonly description: string;
  /** Whether the rules can order images otherwise within a class than `mean` does. */
  readonly canChangeRanking: boolean;
  /** Macro means over the classes held out, patients drawn. */
  readonly mAP: Interval;
  readonly auroc: Interval;
  /** [held-out classes]: average precision, NaN where a class has no positive. */
  readonly ap: readonly number[];
  /** Mean over the classes of the candidate's rank by AP: 1 is best; equal ones share the mean of their ranks. */
  readonly meanRank: number;
  /** Macro AP minus that of the best, on the same draws; null for the best itself. */
  readonly againstBest: Interval | null;
}

export interface ProxyUnseenResult {
  /** In the order given, which is from plain to elaborate. */
  readonly candidates: readonly CandidateResult[];
  /** The candidate with the highest value. */
  readonly best: string;
  /**
   * The plainest candidate that is not shown to be worse than the best: the interval of their difference holds 0. Fewer rules
   * are plainer; among lists of equal length, the earlier one.
   */
  readonly chosen: string;
  readonly by: 'mean-ap' | 'mean-rank';
  /** Classes held out together. */
  readonly folds: readonly (readonly string[])[];
  /** Classes held out, in the order of `ap`. */
  readonly classes: readonly string[];
  /** Label columns that were not held out, and why. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Judges every candidate on every held-out class, and chooses one.
 * @throws UnseenLabelError for labels or seen scores of a class in `unseen`
 * @throws ScoringError as `scoreZeroShot`, and where fewer than two classes can be held out
 */
export function proxyUnseen(options: ProxyUnseenOptions): ProxyUnseenResult {
  refuseUnseen(options);
  const prepared = prepareScoring(options);
  const { n, layout } = prepared;
  const { by = 'mean-ap', seed = 0, labels, labelClasses } = options;
  if (labels.length !== n * labelClasses.length) {
    throw new ScoringError(`${labels.length} labels for ${n} images × ${labelClasses.length} classes.`);
  }
  columnsOf(layout, options.unseen);
  const given = options.candidates ?? defaultCandidates(options.texts, options.seen?.classes);
  const lists = bindCandidates(given);
  const { heldOut, leftOut } = whichToHoldOut(options, n);
  const folds = splitClasses(heldOut, options.folds ?? 5, seed);

  const classes = folds.flat();
  const shape = { n, classes: classes.length, classNames: classes };
  const columns = classes.map((name) => labelClasses.indexOf(name));
  const targets = gatherColumns(labels, labelClasses.length, n, columns);
  const scores = scoreHeldOut(prepared, lists, folds);

  const draws = {
    ...shape,
    seed,
    ...(options.patients && { patients: options.patients }),
    ...(options.resamples !== undefined && { resamples: options.resamples }),
    ...(options.level !== undefined && { level: options.level }),
  };
  const ap = scores.map((own) => [...measureClasses(['mAP'], rankClasses(own, targets, shape), {})]);
  const ranks = meanRanks(ap);
  const measured = scores.map((own) => {
    const all = bootstrapMetrics(['mAP', 'auroc'], own, targets, draws);
    return { mAP: all.mean('mAP'), auroc: all.mean('auroc') };
  });
  const value = (c: number) => (by === 'mean-ap' ? (measured[c]?.mAP.estimate ?? 0) : -(ranks[c] ?? 0));
  const plainness = [...given.keys()].sort(
    (a, b) => (lists[a]?.length ?? 0) - (lists[b]?.length ?? 0) || a - b,
  );
  const best = plainness.reduce((a, b) => (value(b) > value(a) ? b : a));
  const against = scores.map((own, c) =>
    c === best ? null : pairedBootstrapInterval('mAP', scores[best] as Float64Array, own, targets, draws),
  );
  const chosen = plainness.find((c) => c === best || (against[c]?.high ?? -1) >= 0) ?? best;
  const nameOf = (c: number) => (given[c] as Candidate).name;
  return {
    candidates: given.map((candidate, c) => ({
      ...candidate,
      description: describeRules(lists[c] ?? []),
      canChangeRanking: canChangeRanking(lists[c] ?? []),
      ...(measured[c] as { mAP: Interval; auroc: Interval }),
      ap: ap[c] ?? [],
      meanRank: ranks[c] ?? Number.NaN,
      againstBest: against[c] ?? null,
    })),
    best: nameOf(best),
    chosen: nameOf(chosen),
    by,
    folds,
    classes,
    leftOut,
  };
}

/**
 * Names are compared as `namesOfUnseen` does.
 * @throws UnseenLabelError where labels or a seen model's scores are of classes in `unseen`
 */
export function refuseUnseen({
  unseen,
  labelClasses,
  seen,
}: Pick<ProxyUnseenOptions, 'unseen' | 'labelClasses'> & {
  readonly seen?: Pick<SeenScores, 'classes'> | undefined;
}): void {
  if (unseen.length === 0) {
    throw new ScoringError(
      'unseen: name the classes that nobody labelled, so that their labels can be refused.',
    );
  }
  const labelled = namesOfUnseen(labelClasses, unseen);
  if (labelled.length > 0) {
    throw new UnseenLabelError(
      `there are labels of ${labelled.join(', ')}, which the prompts declare unseen: rules are chosen without them. ` +
        'Leave these columns out.',
    );
  }
  const scored = namesOfUnseen(seen?.classes ?? [], unseen);
  if (scored.length > 0) {
    throw new UnseenLabelError(
      `the seen model scores ${scored.join(', ')}, so it was trained with labels of classes that are declared unseen.`,
    );
  }
}

function bindCandidates(candidates: readonly Candidate[]): BoundRule[][] {
  if (candidates.length === 0) throw new ScoringError('there is no candidate to choose from.');
  const twice = candidates.find(({ name }, i) => candidates.findIndex((each) => each.name === name) !== i);
  if (twice) throw new ScoringError(`two candidates are named "${twice.name}".`);
  return candidates.map(({ name, rules }) => {
    try {
      return bindRules(rules);
    } catch (error) {
      if (error instanceof ScoringError) throw new ScoringError(`candidate "${name}": ${error.message}`);
      throw error;
    }
  });
}

function whichToHoldOut(
  { labels, labelClasses, texts, neverHeldOut = ['Normal'], trained = [] }: ProxyUnseenOptions,
  n: number,
) {
  const leftOut: { name: string; reason: string }[] = [];
  const heldOut = labelClasses.filter((name, c) => {
    let [positives, negatives] = [0, 0];
    for (let i = 0; i < n; i++) {
      const label = labels[i * labelClasses.length + c];
      if (label === 1) positives++;
      else if (label === 0) negatives++;
    }
    const reason = neverHeldOut.includes(name)
      ? 'never held out'
      : trained.includes(name)
        ? 'the model was trained with its labels'
        : !texts.classes.has(name)
          ? 'no prompts'
          : positives === 0
            ? 'no positive label'
            : negatives === 0
              ? 'no negative label'
              : null;
    if (reason !== null) leftOut.push({ name, reason });
    return reason === null;
  });
  if (heldOut.length >= 2) return { heldOut, leftOut };
  throw new ScoringError(
    `${heldOut.length} of ${labelClasses.length} labelled classes can be held out, and two are needed. ${whyLeftOut(leftOut)}.` +
      (trained.length > 0
        ? ' Train a model with some of them among zeroshot.unseen, and tune by that one.'
        : ''),
  );
}

/** The names by reason. */
function whyLeftOut(leftOut: ProxyUnseenResult['leftOut']): string {
  const reasons = [...new Set(leftOut.map(({ reason }) => reason))];
  const named = (wanted: string) => leftOut.filter(({ reason }) => reason === wanted).map(({ name }) => name);
  return reasons.map((reason) => `${upperFirst(reason)}: ${named(reason).join(', ')}`).join('. ');
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function splitClasses(classes: readonly string[], folds: number, seed: number): string[][] {
  if (!(Number.isInteger(folds) && folds >= 2)) throw new ScoringError(`${folds} folds: expected 2 or more.`);
  const order = new Random(seed, 'proxy-unseen').shuffle(classes);
  const count = Math.min(folds, classes.length);
  return Array.from({ length: count }, (_, fold) => order.filter((_, i) => i % count === fold));
}

/** @param ap of each candidate, by classes */
function meanRanks(ap: readonly (readonly number[])[]): number[] {
  const sums = ap.map(() => 0);
  let counted = 0;
  for (const c of (ap[0] ?? []).keys()) {
    const values = ap.map((own) => own[c] ?? Number.NaN);
    if (values.some(Number.isNaN)) continue;
    counted++;
    for (const [k, value] of values.entries()) {
      const above = values.filter((other) => other > value).length;
      const equal = values.filter((other) => other === value).length;
      sums[k] = (sums[k] ?? 0) + above + (equal + 1) / 2;
    }
  }
  return sums.map((sum) => sum / counted);
}
