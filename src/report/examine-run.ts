import { dirname } from 'node:path';
import { areSimulated } from '../data/images/simulated.js';
import { type FrequencyGroup, frequencyGroup } from '../data/tables/findings.js';
import { countLabels } from '../data/tables/table.js';
import type { MatrixShape } from '../eval/metrics/class-metrics.js';
import type { Interval } from '../eval/metrics/interval.js';
import { type MeasuredScores, measureScores } from '../eval/metrics/measure-scores.js';
import { MetricError } from '../eval/metrics/metric-error.js';
import { type ClassSummary, type MacroMeans, type Summary, summarize } from '../eval/metrics/summarize.js';
import { DEFAULT_THRESHOLD } from '../predict/thresholds.js';
import { stageRecipes } from '../recipe/recipe-stages.js';
import { decimals } from '../text/numbers.js';
import { withoutFolders } from './local-folders.js';
import { type FoundData, findData, type LabelledPart, labelledPart } from './run-labels.js';
import { type RunRecord, readRunRecord } from './run-record.js';

/**
 * A run as the report's sections see it: the run directory, joined with the labels, measured by eval/metrics. No
 * number of the report is computed anywhere else than there.
 */

export const GROUPS = ['head', 'medium', 'tail'] as const satisfies readonly FrequencyGroup[];

/** A class and where it stands in the long tail. */
export interface ClassFact {
  readonly name: string;
  /** Column of scores and targets. */
  readonly index: number;
  /** Positives among the known labels of the training part; NaN where that is not known. */
  readonly prevalence: number;
  /** Null where the prevalence is not known. */
  readonly group: FrequencyGroup | null;
  /** Positive training labels; null without the data. */
  readonly trainPositives: number | null;
}

/** All measures of one part of the split. */
export interface EvaluatedPart extends LabelledPart {
  readonly summary: Summary;
}

/** The part that the report is about, with how sure its means are. */
export interface PrimaryPart extends EvaluatedPart {
  /**
   * Every number with its interval, by column: per class, averages, groups, subgroups. `fittedF1` is at the thresholds that
   * are best on validation where this is the test part, and null else.
   */
  readonly measured: MeasuredScores;
  /** Of the macro means, over patients. */
  readonly intervals: Readonly<Record<'mAP' | 'auroc', Interval>>;
  /** [classes] of each class alone, by column. */
  readonly classIntervals: Readonly<Record<'mAP' | 'auroc', readonly Interval[]>>;
  /** The groups that have classes, from head to tail. */
  readonly groups: readonly EvaluatedGroup[];
  /** Whether patients were drawn, or images for want of patient identifiers. */
  readonly drawn: 'patients' | 'images';
}

export interface EvaluatedGroup {
  readonly name: FrequencyGroup;
  readonly classes: number;
  readonly means: MacroMeans;
  readonly mAP: Interval;
}

export interface ExaminedRun {
  readonly record: RunRecord;
  readonly simulated: boolean;
  readonly data: FoundData | null;
  /** From the most to the least common in training. */
  readonly classes: readonly ClassFact[];
  readonly validation: EvaluatedPart | null;
  readonly test: EvaluatedPart | null;
  /** The part that the headline is about: test where it is labelled, else validation. */
  readonly primary: PrimaryPart | null;
  /** Notes of the data reader, a sentence each, without the folders of this machine. */
  readonly notes: readonly string[];
  /** Things that are missing or do not fit, a sentence each for the reader, without folders, too. */
  readonly missing: readonly string[];
}

export interface ExamineOptions {
  /** Table or folder to read the labels from, instead of the recipe's. */
  readonly data?: string | undefined;
  /** Bootstrap draws; 1,000 when absent. */
  readonly resamples?: number | undefined;
}

/** @throws ReportError when the directory holds no run, or a file of it can't be understood */
export async function examineRun(path: string, options: ExamineOptions = {}): Promise<ExaminedRun> {
  const record = await readRunRecord(path);
  const missing = [...record.missing];
  const found = await findData(record.final, options.data);
  const data = 'source' in found ? found : null;
  if ('reason' in found) {
    missing.push(
      `The labels can't be read, so nothing can be measured per class: ${found.reason} Name the data with --data.`,
    );
  }
  const classes = data === null ? classesOfCheckpoint(record) : classesOfData(data);
  const evaluated = (name: LabelledPart['name']) => {
    const part = data === null ? null : labelledPart(record, data.source, name);
    if (part === null) return null;
    const result = 'reason' in part ? part : evaluate(part, classes);
    if ('reason' in result) {
      missing.push(`${name} can't be measured: ${result.reason}`);
      return null;
    }
    missing.push(...disagreement(record, result));
    return result;
  };
  const validation = evaluated('validation');
  const test = evaluated('test');
  const primary = test ?? validation;
  const labels = options.data ?? record.final.data.path;
  const local = withoutFolders(foldersOf(record, data, labels));
  if (record.summary !== null && record.summary.data.test === null) {
    missing.push('There is no test part: validation also chose the epoch, so its scores are too good.');
  }
  return {
    record,
    simulated: record.checkpoint?.simulated ?? (labels === undefined || (await areSimulated(labels))),
    data,
    classes,
    validation,
    test,
    primary: primary && withIntervals(primary, primary === test ? validation : null, classes, options),
    notes: (data?.source.notes ?? []).map(local),
    missing: missing.map(local),
  };
}

/** Where the run and its data lie. */
function foldersOf(
  { path, recipe }: RunRecord,
  data: FoundData | null,
  labels: string | undefined,
): string[] {
  const tables = data === null ? [] : [data.source.train, data.source.validation, data.source.test];
  return [
    path,
    ...[labels, data?.path, data?.source.imageRoot].flatMap((each) => each ?? []),
    ...stageRecipes(recipe).flatMap(({ data: { path: own, images } }) => [
      ...(own === undefined ? [] : [own, dirname(own)]),
      ...(images === undefined ? [] : [images]),
    ]),
    ...tables.flatMap((part) => (part === null ? [] : dirname(part.table.path))),
    ...(labels === undefined ? [] : [dirname(labels)]),
  ];
}

/** The row of a class in a part's summary. */
export function classSummary(part: EvaluatedPart, { index }: ClassFact): ClassSummary {
  const row = part.summary.perClass[index];
  if (row === undefined) throw new RangeError(`class ${index} of ${part.summary.perClass.length}`);
  return row;
}

/** One class's column of scores and targets: [n] each. */
export function classColumn(
  { n, scores, targets }: LabelledPart,
  { index }: ClassFact,
): { scores: Float32Array; targets: Float32Array } {
  const classes = scores.length / n;
  const column = (matrix: Float32Array) =>
    Float32Array.from({ length: n }, (_, i) => matrix[i * classes + index] ?? Number.NaN);
  return { scores: column(scores), targets: column(targets) };
}

function evaluate(part: LabelledPart, classes: readonly ClassFact[]): EvaluatedPart | { reason: string } {
  if (part.targets.every(Number.isNaN)) return { reason: 'none of its labels is known.' };
  const groups = inColumnOrder(classes).map(({ group }) => group ?? '');
  try {
    const summary = summarize(part.scores, part.targets, { ...shapeOf(part, classes), groups });
    return { ...part, summary };
  } catch (error) {
    if (error instanceof MetricError) return { reason: error.message };
    throw error;
  }
}

/** @param fittedOn the part that thresholds are fitted on; null where there is none but the measured one */
function withIntervals(
  part: EvaluatedPart,
  fittedOn: EvaluatedPart | null,
  classes: readonly ClassFact[],
  { resamples = 1000 }: ExamineOptions,
): PrimaryPart {
  const { scores, targets, patients, subgroups, summary } = part;
  const measured = measureScores(scores, targets, {
    ...shapeOf(part, classes),
    patients,
    subgroups,
    resamples,
    groups: inColumnOrder(classes).map(({ group }) => group ?? ''),
    thresholds: fittedOn?.summary.perClass.map(({ bestThreshold }) =>
      Number.isNaN(bestThreshold) ? DEFAULT_THRESHOLD : bestThreshold,
    ),
  });
  return {
    ...part,
    measured,
    intervals: { mAP: measured.macro.ap, auroc: measured.macro.auroc },
    classIntervals: {
      mAP: measured.perClass.map(({ ap }) => ap),
      auroc: measured.perClass.map(({ auroc }) => auroc),
    },
    groups: GROUPS.flatMap((name): EvaluatedGroup[] => {
      const means = summary.groups[name];
      const group = measured.groups[name];
      if (means === undefined || group === undefined) return [];
      return [{ name, classes: group.classes.length, means, mAP: group.ap }];
    }),
    drawn: measured.drawn,
  };
}

/** The shape of a part's matrices, as the metrics take it. */
export function shapeOf({ n }: LabelledPart, classes: readonly ClassFact[]): MatrixShape {
  return { n, classes: classes.length, classNames: inColumnOrder(classes).map(({ name }) => name) };
}

/** The classes as the columns of scores and targets have them. */
export function inColumnOrder(classes: readonly ClassFact[]): ClassFact[] {
  return [...classes].sort((a, b) => a.index - b.index);
}

/** The run recorded its own scores. If the scores differ now, the labels have changed since. */
function disagreement({ summary }: RunRecord, { name, summary: measured }: EvaluatedPart): string[] {
  const recorded = summary?.[name]?.mAP;
  if (typeof recorded !== 'number' || Math.abs(recorded - measured.macro.mAP) < 1e-6) return [];
  return [
    `WARNING: on ${name}, the data now give a mAP of ${decimals(measured.macro.mAP, 4)} where the run recorded ` +
      `${decimals(recorded, 4)}: labels, split or predictions have changed since.`,
  ];
}

function classesOfData({ source }: FoundData): ClassFact[] {
  const { positives, known } = countLabels(source.train.table, source.train.indices);
  return byPrevalence(
    source.classes.map((name, index) => {
      const trainPositives = positives[index] ?? 0;
      return { name, index, trainPositives, prevalence: trainPositives / (known[index] ?? 0) };
    }),
  );
}

function classesOfCheckpoint({ checkpoint, summary, predictions }: RunRecord): ClassFact[] {
  const names = checkpoint?.classes ?? summary?.classes ?? predictions?.classes ?? [];
  return byPrevalence(
    names.map((name, index) => ({
      name,
      index,
      trainPositives: null,
      prevalence: checkpoint?.prevalence[index] ?? Number.NaN,
    })),
  );
}

/** Most common first; classes of unknown prevalence last, in their own order. */
function byPrevalence(classes: Omit<ClassFact, 'group'>[]): ClassFact[] {
  const rank = ({ prevalence }: { prevalence: number }) => (Number.isNaN(prevalence) ? -1 : prevalence);
  return classes
    .map((entry) => ({
      ...entry,
      group: Number.isNaN(entry.prevalence) ? null : frequencyGroup(entry.prevalence),
    }))
    .sort((a, b) => rank(b) - rank(a));
}
