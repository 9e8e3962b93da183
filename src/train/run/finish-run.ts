import type { Tuning } from '../../engine/choose/tune.js';
import type { Device } from '../../engine/device.js';
import type { LeftOut } from '../../eval/metrics/summarize.js';
import { Classifier } from '../../predict/classifier.js';
import { datasetTargets, predictDataset, predictionRows } from '../../predict/predict.js';
import { type Prediction, writePredictions } from '../../predict/predictions.js';
import {
  type MacroIntervals,
  type MacroScores,
  macroIntervals,
  macroScores,
  scoreDataset,
} from '../../predict/scores.js';
import { keptIn } from '../../recipe/recipe-paths.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { finalRecipe } from '../../recipe/recipe-stages.js';
import { tailrayVersion } from '../../storage/version.js';
import { readCheckpoint } from '../../weights/checkpoint.js';
import { describeKept, type Kept } from './kept-checkpoints.js';
import type { RunDirectory } from './run-directory.js';
import type { Progress } from './saved-state.js';
import { distinctData, lastStage, type Stage } from './stage-plan.js';
import type { ExaminedPart, TrainingData } from './training-data.js';
import type { ZeroShotRun } from './zeroshot-run.js';

/** The end of a run: the best checkpoint, read back from its file as any user would, scores what was held out. */

export interface PartSummary {
  readonly images: number;
  readonly patients: number;
  readonly unreadable: number;
}

/** The images of each part. */
export interface DataSummary {
  readonly train: PartSummary;
  readonly validation: PartSummary | null;
  readonly test: PartSummary | null;
}

/** summary.json; network, loss, classes and data are the last stage's. */
export interface RunSummary {
  readonly status: 'finished' | 'stopped';
  readonly seed: number;
  readonly model: Recipe['model'];
  readonly loss: Recipe['loss'];
  readonly classes: readonly string[];
  readonly data: DataSummary;
  /** What each stage trained on, in a run of several sets; absent in others. */
  readonly stages?: readonly StageSummary[];
  readonly epochs: number;
  readonly steps: number;
  readonly best: Progress['best'];
  /** The epochs whose weights lie in kept/, the best first; absent where no more than the best are kept. */
  readonly kept?: readonly (Kept[number] & { readonly file: string })[];
  /** How often the run diverged and went back; absent where it never did. */
  readonly rollbacks?: Progress['rollbacks'];
  /** What a run declared zero-shot knew: no label of an unseen finding. Absent in other runs. */
  readonly zeroshot?: ZeroShotSummary;
  /** Of the best checkpoint; null in a run that was stopped, or where there is no such part. */
  readonly validation: MacroScores | null;
  readonly test: MacroScores | null;
  /** Of these means; not there in a run that was stopped. */
  readonly intervals?: Readonly<Record<'validation' | 'test', MacroIntervals | null>>;
  /** Classes that don't count in some means, and why. */
  readonly leftOut: { readonly validation: readonly LeftOut[]; readonly test: readonly LeftOut[] };
  readonly adapter: string;
  /** On the device while training: state, the intermediates of a step, and those of an evaluation. */
  readonly peakBytes: number;
  readonly tailray: string;
}

export interface StageSummary {
  readonly name?: string;
  readonly classes: readonly string[];
  readonly data: DataSummary;
}

export interface ZeroShotSummary {
  readonly unseen: readonly string[];
  /** The columns whose labels were read, of all parts and stages. */
  readonly labelsRead: readonly string[];
  /** The classes of the weights that the run started from; null where they say nothing, or there are none. */
  readonly startedFrom: readonly string[] | null;
  /** Absent where the head reads no texts. */
  readonly prompts?: { readonly sha256: string; readonly texts: string };
}

interface SummaryOptions {
  readonly device: Device;
  readonly recipe: Recipe;
  readonly stages: readonly Stage[];
  readonly run: RunDirectory;
  readonly zeroshot?: ZeroShotRun | undefined;
  /** Of the trainer, which may be gone by now. */
  readonly peakBytes: number;
  readonly tuning: Tuning;
}

export interface FinishOptions extends SummaryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void | Promise<void>) | undefined;
}

/**
 * Scores validation and test with the best checkpoint and writes predictions.csv.
 * @returns the summary, 'stopped' when the signal came first
 * @throws CheckpointError, StorageError
 */
export async function finishRun(options: FinishOptions): Promise<RunSummary> {
  const { device, stages, run, tuning, signal, onProgress } = options;
  const { recipe, data } = lastStage(stages);
  const checkpoint = await readCheckpoint(run.best);
  const classifier = await Classifier.load(device, checkpoint, {
    path: run.best,
    batchSize: recipe.batchSize,
    tuning,
  });
  const parts = { validation: data.validation, test: data.test };
  const total = Object.values(parts).reduce((sum, part) => sum + (part?.readable.length ?? 0), 0);
  const rows: Prediction[] = [];
  const score = async (name: keyof typeof parts) => {
    const part = parts[name];
    if (part === null) return null;
    const before = rows.length;
    const probabilities = await predictDataset(classifier, part.readable, {
      ...(signal && { signal }),
      onProgress: (done) => onProgress?.(before + done, total),
    });
    rows.push(...predictionRows(part, probabilities, data.classes.length, name));
    if (part.readable.length === 0) return null;
    const targets = datasetTargets(part.readable);
    const patients = Array.from({ length: part.readable.length }, (_, i) => part.readable.row(i).patient);
    return {
      summary: scoreDataset(probabilities, targets, data.classes),
      intervals: macroIntervals(probabilities, targets, data.classes, patients),
    };
  };
  try {
    const validation = await score('validation');
    const test = await score('test');
    await writePredictions(run.predictions, { classes: data.classes, rows }, run.files);
    return {
      ...(await describe(options, 'finished')),
      validation: validation && macroScores(validation.summary),
      test: test && macroScores(test.summary),
      intervals: { validation: validation?.intervals ?? null, test: test?.intervals ?? null },
      leftOut: { validation: validation?.summary.leftOut ?? [], test: test?.summary.leftOut ?? [] },
    };
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return stoppedSummary(options);
    throw error;
  } finally {
    classifier.destroy();
  }
}

/** What can be said of a run that was stopped and can be resumed. */
export function stoppedSummary(options: SummaryOptions): Promise<RunSummary> {
  return describe(options, 'stopped');
}

async function describe(
  { device, recipe, stages, run, zeroshot, peakBytes }: SummaryOptions,
  status: RunSummary['status'],
): Promise<RunSummary> {
  const progress = (await run.saved.about())?.progress;
  const { model, loss, zeroshot: declared } = finalRecipe(keptIn(run.path, recipe));
  const { data } = lastStage(stages);
  return {
    status,
    seed: recipe.seed,
    model,
    loss,
    classes: data.classes,
    data: describeData(data),
    ...(distinctData(stages).length > 1 && { stages: stages.map(describeStage) }),
    epochs: (progress?.epochsClosed ?? 0) - (progress?.skipped?.epochs ?? 0),
    steps: (progress?.step ?? 0) - (progress?.skipped?.steps ?? 0),
    best: progress?.best ?? null,
    ...(progress?.kept && { kept: describeKept(run, progress.kept) }),
    ...(progress?.rollbacks && { rollbacks: progress.rollbacks }),
    ...(zeroshot && { zeroshot: describeZeroShot(zeroshot, stages, declared?.texts ?? '') }),
    validation: null,
    test: null,
    leftOut: { validation: [], test: [] },
    adapter: device.description,
    peakBytes,
    tailray: tailrayVersion,
  };
}

function describeStage({ name, data }: Stage): StageSummary {
  return { ...(name !== undefined && { name }), classes: data.classes, data: describeData(data) };
}

function describeData({ train, validation, test }: TrainingData): DataSummary {
  return {
    train: describePart(train),
    validation: validation && describePart(validation),
    test: test && describePart(test),
  };
}

function describePart({ all, patients, quarantined }: ExaminedPart): PartSummary {
  return { images: all.length, patients, unreadable: quarantined.length };
}

function describeZeroShot(
  { unseen, startedFrom, texts }: ZeroShotRun,
  stages: readonly Stage[],
  encoder: string,
): ZeroShotSummary {
  return {
    unseen,
    labelsRead: [...new Set(stages.flatMap(({ data }) => data.classes))],
    startedFrom,
    ...(texts && { prompts: { sha256: texts.prompts.digest, texts: encoder } }),
  };
}
