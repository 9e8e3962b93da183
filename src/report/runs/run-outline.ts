import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { areSimulated } from '../../data/images/simulated.js';
import { TailrayError } from '../../engine/errors.js';
import type { IntervalEnds } from '../../predict/scores.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { finalRecipe, stageRecipes } from '../../recipe/recipe-stages.js';
import { divergenceOf } from '../../train/divergence/divergence.js';
import type { EpochLine, MetricsLine, StepLine } from '../../train/run/metrics-line.js';
import { NAMES, RunDirectory } from '../../train/run/run-directory.js';
import { runFiles } from '../../train/run-files.js';
import { recordedStages, validatedAlike } from '../recorded-stages.js';
import { ReportError } from '../report-error.js';
import { type RecordedSummary, readLines, readSummary } from '../run-record.js';

/**
 * A run in a row of a table: what can be told of it without its weights, predictions or labels, so that a hundred runs are
 * read in a moment. A run with a file that can't be understood has failed, and says why.
 */
export interface RunOutline {
  /** As it was named. */
  readonly path: string;
  /** The folder's own name. */
  readonly name: string;
  /** Whether its pictures were drawn by a program, as far as recipe and data tell. */
  readonly simulated: boolean;
  /** Null where it can't be understood. */
  readonly recipe: Recipe | null;
  /** Of the last stage, whose network and scores the run ends with. */
  readonly final: Recipe | null;
  readonly state: RunState;
  /** In words, where the state alone doesn't say it: who writes it, or why it failed. */
  readonly why: string | null;
  /** When its metrics or its summary were written last, in milliseconds since 1970. */
  readonly when: number;
  readonly epochs: { readonly done: number; readonly planned: number | null };
  readonly validation: OutlineScores | null;
  readonly test: OutlineScores | null;
  /** Epoch of the best validation mAP. */
  readonly bestEpoch: number | null;
  /** Of the epochs, validation included. */
  readonly seconds: number;
  /** Of its own files. */
  readonly bytes: number;
  readonly curve: RunCurve | null;
}

export const RUN_STATES = ['running', 'finished', 'interrupted', 'failed'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Macro means as the run recorded them. */
export interface OutlineScores {
  readonly mAP: number | null;
  /** Of the mAP; null where the run didn't record one. */
  readonly interval: IntervalEnds;
  readonly auroc: number | null;
}

/** How a run went, epoch by epoch; validation where there is one. */
export interface RunCurve {
  readonly metric: 'mAP' | 'loss';
  readonly points: readonly (readonly [epoch: number, value: number])[];
}

/** @throws ReportError where the folder can't be read */
export async function outlineRun(path: string): Promise<RunOutline> {
  const run = new RunDirectory(path);
  const problems: string[] = [];
  const tried = async <T>(read: () => Promise<T>): Promise<T | null> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof TailrayError)) throw error;
      problems.push(error.message);
      return null;
    }
  };
  const writer = await run.writer();
  const recipe = await tried(() => run.recipe());
  const summary = await tried(() => readSummary(join(path, NAMES.summary)));
  const lines = (await tried(() => readLines(run.metrics.path, [], withoutSoundSteps))) ?? [];
  const epochs = lines.filter((line) => line.kind === 'epoch');
  const { bytes } = await runFiles(path).catch((error: Error) => {
    throw new ReportError(error.message, { cause: error });
  });
  return {
    path,
    name: basename(resolve(path)),
    simulated: recipe !== null && (await hasDrawnPictures(finalRecipe(recipe))),
    recipe,
    final: recipe && finalRecipe(recipe),
    ...stateOf({ writer, summary, lines, problem: problems[0] }),
    when: await lastWritten(path),
    epochs: {
      done: summary?.epochs ?? epochs.length,
      planned: recipe && stageRecipes(recipe).reduce((sum, { schedule }) => sum + schedule.epochs, 0),
    },
    ...scoresOf(recipe, summary, epochs),
    seconds: epochs.reduce((sum, { seconds }) => sum + seconds, 0),
    bytes,
    curve: recipe && curveOf(recipe, epochs),
  };
}

async function hasDrawnPictures({ data }: Recipe): Promise<boolean> {
  return data.path === undefined || (await areSimulated(data.path));
}

/** Steps are many, and only those that were not finite tell how a run ended. */
function withoutSoundSteps(lines: readonly string[]): string[] {
  const some = lines.filter((line) => !line.startsWith('{"kind":"step"') || line.includes('null'));
  // one line at least, as a file without any is no run's
  return some.some((line) => line.trim() !== '') ? some : lines.slice(0, 1);
}

interface Signs {
  readonly writer: string | null;
  readonly summary: RecordedSummary | null;
  readonly lines: readonly MetricsLine[];
  readonly problem: string | undefined;
}

/** A lock tells more than a summary: a run that was stopped may go on. */
function stateOf({ writer, summary, lines, problem }: Signs): Pick<RunOutline, 'state' | 'why'> {
  if (writer !== null) return { state: 'running', why: writer };
  if (problem !== undefined) return { state: 'failed', why: problem };
  if (summary?.status === 'finished') return { state: 'finished', why: null };
  // a run that went on has a rollback or an epoch after it
  const since = lines.slice(lines.findLastIndex(({ kind }) => kind !== 'step') + 1);
  const diverged = since.find((line) => line.kind === 'step' && isDiverged(line));
  if (diverged === undefined) return { state: 'interrupted', why: null };
  const why = `diverged: the loss or its gradient was not finite at step ${diverged.step}`;
  return { state: 'failed', why };
}

function isDiverged({ step, loss, gradientNorm, lossScale }: StepLine): boolean {
  const read = { loss: loss ?? Number.NaN, gradientNorm: gradientNorm ?? Number.NaN, lossScale };
  return divergenceOf(step, read) !== undefined;
}

async function lastWritten(path: string): Promise<number> {
  const times = [NAMES.metrics, NAMES.summary, NAMES.recipe].map((name) =>
    stat(join(path, name)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  return Math.max(...(await Promise.all(times)));
}

function scoresOf(
  recipe: Recipe | null,
  summary: RecordedSummary | null,
  epochs: readonly EpochLine[],
): Pick<RunOutline, 'validation' | 'test' | 'bestEpoch'> {
  const part = (name: 'validation' | 'test'): OutlineScores | null => {
    const { mAP = null, auroc = null } = summary?.[name] ?? {};
    if (mAP === null && auroc === null) return null;
    return { mAP, auroc, interval: summary?.intervals?.[name]?.mAP ?? null };
  };
  const best = recipe && lastValidated(recipe, epochs).findLast((line) => line.best);
  const soFar = best?.validation
    ? { mAP: best.validation.mAP ?? null, auroc: best.validation.auroc ?? null, interval: null }
    : null;
  return {
    validation: part('validation') ?? soFar,
    test: part('test'),
    bestEpoch: summary?.best?.epoch ?? best?.epoch ?? null,
  };
}

function curveOf(recipe: Recipe, epochs: readonly EpochLine[]): RunCurve | null {
  const measured = lastValidated(recipe, epochs);
  const curve = (metric: RunCurve['metric'], value: (line: EpochLine) => number | null): RunCurve => ({
    metric,
    points: measured.flatMap((line) => {
      const known = value(line);
      return known === null ? [] : [[line.epoch, known] as const];
    }),
  });
  const mAP = curve('mAP', ({ validation }) => validation?.mAP ?? null);
  if (mAP.points.length > 0) return mAP;
  const loss = curve('loss', (line) => line.loss);
  return loss.points.length > 0 ? loss : null;
}

/** Epochs of the last stages that were validated on the same images: those before would make another curve. */
function lastValidated(recipe: Recipe, epochs: readonly EpochLine[]): EpochLine[] {
  const stages = recordedStages({ recipe, steps: [], epochs }).filter((stage) => stage.epochs.length > 0);
  return (validatedAlike(stages).at(-1) ?? []).flatMap((stage) => stage.epochs);
}
