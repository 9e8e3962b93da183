import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { TailrayError } from '../engine/errors.js';
import { type Predictions, readPredictions } from '../predict/predictions.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { finalRecipe } from '../recipe/recipe-stages.js';
import { parseJson } from '../storage/parse-json.js';
import type { EpochLine, MetricsLine, RollbackLine, StepLine } from '../train/run/metrics-line.js';
import { RunDirectory } from '../train/run/run-directory.js';
import type { SavedAbout } from '../train/run/saved-state.js';
import { type CheckpointAbout, readCheckpoint } from '../weights/checkpoint.js';
import { CheckpointError } from '../weights/checkpoint-error.js';
import { ReportError } from './report-error.js';

/**
 * The contents of a run directory, read once and checked. Only the recipe must be there: a run that was stopped, crashed or is
 * still going has less to tell, and the missing parts are listed for the reader. A file that is there but can't be understood
 * is an error, because a report that passes over it would look complete.
 */

const macroSchema = z.record(z.string(), z.number().nullable());
const endsSchema = z.object({ low: z.number(), high: z.number() }).nullable();
const intervalsSchema = z.object({ mAP: endsSchema, auroc: endsSchema }).nullable();
const partSchema = z.object({ images: z.number(), patients: z.number(), unreadable: z.number() });

const dataSchema = z.object({
  train: partSchema,
  validation: partSchema.nullable(),
  test: partSchema.nullable(),
});

const summarySchema = z.object({
  status: z.enum(['finished', 'stopped']),
  data: dataSchema,
  /** Of a run whose stages train on several sets. */
  stages: z
    .array(z.object({ name: z.string().optional(), classes: z.array(z.string()), data: dataSchema }))
    .optional(),
  classes: z.array(z.string()),
  epochs: z.number(),
  steps: z.number(),
  best: z.object({ epoch: z.number(), mAP: z.number().nullable(), auroc: z.number().nullable() }).nullable(),
  validation: macroSchema.nullable(),
  test: macroSchema.nullable(),
  /** Of macro means; not there in runs of before. */
  intervals: z.object({ validation: intervalsSchema, test: intervalsSchema }).optional(),
  adapter: z.string(),
  tailray: z.string(),
  /** Bytes on the device at the peak of training. */
  peakBytes: z.number().optional(),
});

/** summary.json, as far as the report uses it (see `RunSummary` of train/finish-run). */
export type RecordedSummary = z.infer<typeof summarySchema>;

const number = z.number().nullable();
const lineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('step'),
    stage: z.number().optional(),
    step: z.number(),
    epoch: z.number(),
    loss: number,
    gradientNorm: number,
    learningRate: z.number(),
    lossScale: z.number().optional(),
  }),
  z.object({
    kind: z.literal('epoch'),
    stage: z.number().optional(),
    epoch: z.number(),
    step: z.number(),
    loss: number,
    validation: macroSchema.nullable(),
    best: z.boolean(),
    seconds: z.number(),
    dataWaitSeconds: z.number().optional(),
  }),
  z.object({
    kind: z.literal('rollback'),
    step: z.number(),
    diverged: z.number(),
    factor: z.number(),
  }),
]);

export interface RunRecord {
  /** Absolute. */
  readonly path: string;
  /** The folder's own name. */
  readonly name: string;
  readonly recipe: Recipe;
  /** The recipe of the last stage: its network, data and preprocessing are those of the checkpoint and the predictions. */
  readonly final: Recipe;
  readonly summary: RecordedSummary | null;
  readonly steps: readonly StepLine[];
  readonly epochs: readonly EpochLine[];
  readonly rollbacks: readonly RollbackLine[];
  readonly predictions: Predictions | null;
  /** The description that best.safetensors has of itself. */
  readonly checkpoint: CheckpointAbout | null;
  /** Where `last/` would resume. */
  readonly saved: SavedAbout | null;
  /** Parts of a finished run that this one lacks, a sentence each. */
  readonly missing: readonly string[];
}

/** @throws ReportError when the folder holds no run, or a file of it can't be understood */
export async function readRunRecord(path: string): Promise<RunRecord> {
  const folder = await stat(path).catch(() => null);
  if (!folder?.isDirectory()) {
    throw new ReportError(`${path}: there is no such folder: name the directory of a run (train --out).`);
  }
  const run = new RunDirectory(path);
  const traces = await run.traces();
  if (!traces.includes('recipe.yaml')) {
    const found = traces.length === 0 ? 'nothing of a run' : `only ${traces.join(', ')}`;
    throw new ReportError(`${path} holds ${found}: a run directory has at least a recipe.yaml.`);
  }
  const missing: string[] = [];
  const recipe = await understood(() => run.recipe());
  const summary = await readSummary(join(path, 'summary.json'));
  if (summary === null) missing.push('summary.json is missing: the run is still going, or was cut off.');
  else if (summary.status === 'stopped')
    missing.push('The run was stopped before its end and can be resumed.');
  const lines = await readLines(run.metrics.path, missing);
  const heldOut = summary === null || summary.data.validation !== null || summary.data.test !== null;
  let predictions: Predictions | null = null;
  if (!heldOut)
    missing.push('No image was held out, so nothing was predicted: there are no scores to report.');
  else if (traces.includes('predictions.csv')) {
    predictions = await understood(() => readPredictions(run.predictions));
  } else missing.push('predictions.csv is missing: it is written when a run finishes.');
  const checkpoint = await readAbout(run.best, missing);
  const saved = await tolerated(() => run.saved.about(), missing);
  return {
    path: resolve(path),
    name: basename(resolve(path)),
    recipe,
    final: finalRecipe(recipe),
    summary,
    steps: lines.filter((line) => line.kind === 'step'),
    epochs: lines.filter((line) => line.kind === 'epoch'),
    rollbacks: lines.filter((line) => line.kind === 'rollback'),
    predictions,
    checkpoint,
    saved,
    missing,
  };
}

/** Null where there is none. @throws ReportError for one that can't be understood */
export async function readSummary(path: string): Promise<RecordedSummary | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new ReportError(`${path} is not valid JSON: restore it, or remove it to report without it.`, {
      cause: error,
    });
  }
  const checked = summarySchema.safeParse(content);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new ReportError(
    `${path} is no summary of a run (${issue?.path.join('.') || 'top'}: ${issue?.message}): restore it, or remove it.`,
  );
}

/**
 * Lines of metrics.jsonl; a crash may leave half a line, which is counted and left out.
 * @param missing gets a sentence where there is none, or half a line
 * @param wanted the lines to read, of a file that may have a million
 */
export async function readLines(
  path: string,
  missing: string[],
  wanted: (lines: readonly string[]) => readonly string[] = (lines) => lines,
): Promise<MetricsLine[]> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null || text.trim() === '') {
    missing.push('metrics.jsonl is missing or empty: no step was logged, so there are no training curves.');
    return [];
  }
  const lines: MetricsLine[] = [];
  let unreadable = 0;
  for (const line of wanted(text.split('\n'))) {
    if (line.trim() === '') continue;
    const checked = lineSchema.safeParse(parseJson(line));
    if (checked.success) lines.push(checked.data);
    else unreadable++;
  }
  if (lines.length === 0)
    throw new ReportError(`${path} holds no line of a run's metrics: is it another file?`);
  if (unreadable > 0) missing.push(`metrics.jsonl: ${unreadable} line(s) can't be read and are left out.`);
  return lines;
}

async function readAbout(path: string, missing: string[]): Promise<CheckpointAbout | null> {
  try {
    const { tensors: _tensors, ...about } = await readCheckpoint(path);
    return about;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    missing.push(
      error.kind === 'missing' ? 'best.safetensors is missing: no epoch was completed.' : error.message,
    );
    return null;
  }
}

/** Damage that takes nothing from the report but itself is told, not thrown. */
async function tolerated<T>(read: () => Promise<T>, missing: string[]): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TailrayError)) throw error;
    missing.push(error.message);
    return null;
  }
}

async function understood<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof TailrayError) throw new ReportError(error.message, { cause: error });
    throw error;
  }
}
