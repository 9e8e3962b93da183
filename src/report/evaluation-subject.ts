import { stat } from 'node:fs/promises';
import type { DataPart } from '../data/tables/data-source.js';
import type { Device } from '../engine/device.js';
import { type EvaluationData, type PartName, readEvaluationData } from '../predict/evaluation-data.js';
import { EvaluationError, labelledRows } from '../predict/labelled-scores.js';
import { type Predictions, readPredictions } from '../predict/predictions.js';
import { type ScoreImagesOptions, scoreLabelled } from '../predict/score-images.js';
import { dataSourceOptions } from '../recipe/recipe-data.js';
import { finalRecipe } from '../recipe/recipe-stages.js';
import { providePhantoms } from '../train/run/phantom-source.js';
import { RunDirectory } from '../train/run/run-directory.js';
import { type Checkpoint, readCheckpoint } from '../weights/checkpoint.js';

/**
 * What a person may want evaluated: a run, a checkpoint, or a file of predictions. All end as predictions and the
 * labelled rows they are held against.
 */
export interface EvaluationRequest {
  /** A run directory, a checkpoint (.safetensors), or a predictions.csv. */
  readonly subject: string;
  /** Labelled table or folder; a run knows its own. */
  readonly data?: string | undefined;
  readonly images?: string | undefined;
  readonly part?: PartName | undefined;
  /** Folder for things that can be made again, such as a run's phantoms. */
  readonly cache: string;
  readonly scoring?:
    | Pick<ScoreImagesOptions, 'pictures' | 'batchSize' | 'strict' | 'lenient' | 'onRead' | 'onScored'>
    | undefined;
}

export interface EvaluationSubject {
  readonly predictions: Predictions;
  readonly parts: readonly DataPart[];
  readonly part: PartName;
  /** The validation part of the same scores, to fit thresholds on; where another part is measured, and labels are known. */
  readonly validation?: Pick<EvaluationSubject, 'predictions' | 'parts'>;
  /** Of the model's training, where it is known. */
  readonly trainingPrevalence?: readonly (number | null)[];
  /** What made the predictions, where it is known. */
  readonly checkpoint?: Checkpoint;
}

/**
 * Reads or computes the predictions and finds their labels. `openDevice` is called only where images must be scored.
 * @throws EvaluationError, CheckpointError, TableError, and what the device reports
 */
export async function openEvaluation(
  openDevice: () => Promise<Device>,
  request: EvaluationRequest,
): Promise<EvaluationSubject> {
  const kind = await stat(request.subject).catch(() => null);
  if (kind === null) throw new EvaluationError(`${request.subject}: there is no such file or folder.`);
  const run = kind.isDirectory() ? new RunDirectory(request.subject) : undefined;
  if (run && request.data === undefined) return openRun(run, request);
  if (run) return openCheckpoint(run.best, openDevice, request);
  if (/\.csv(?:\.gz)?$/i.test(request.subject)) return openPredictions(request);
  return openCheckpoint(request.subject, openDevice, request);
}

async function openRun(run: RunDirectory, request: EvaluationRequest): Promise<EvaluationSubject> {
  const { imageRoot: _, ...held } = await heldOut(run, request);
  const checkpoint = await readCheckpoint(run.best);
  return { ...held, trainingPrevalence: checkpoint.prevalence, checkpoint };
}

/** The rows that a run has scored, with its scores and their labels. */
async function heldOut(run: RunDirectory, { part, cache }: Pick<EvaluationRequest, 'part' | 'cache'>) {
  const recipe = finalRecipe(await run.recipe());
  const predictions = await readPredictions(run.predictions);
  const path = recipe.data.path ?? (await providePhantoms(recipe, { cache }));
  const { parts, imageRoot } = await readEvaluationData(path, dataSourceOptions(recipe.data), 'all');
  return { ...selectSplit(predictions, parts, part, run.predictions), imageRoot };
}

/** Labelled images that choices are made on. */
export interface ValidationRequest extends Pick<EvaluationRequest, 'images' | 'part' | 'cache'> {
  /** Labelled table or folder, or a run directory, whose own validation part is meant. */
  readonly data: string;
  readonly classes: readonly string[];
}

/**
 * The validation part of labelled data or of a run: of data without parts, all rows.
 * @throws TableError when the part asked for isn't there; EvaluationError for a run without rows of it
 */
export async function openValidation({
  data,
  classes,
  ...request
}: ValidationRequest): Promise<EvaluationData> {
  const run = new RunDirectory(data);
  if ((await stat(run.best).catch(() => null)) !== null) {
    const { parts, part, imageRoot } = await heldOut(run, { ...request, part: request.part ?? 'validation' });
    return { parts: parts.filter(({ indices }) => indices.length > 0), part, imageRoot };
  }
  const { images, part } = request;
  const table = { classes, unlabelled: true };
  return readEvaluationData(data, { table, ...(images !== undefined && { images }) }, part, 'validation');
}

async function openPredictions(request: EvaluationRequest): Promise<EvaluationSubject> {
  const predictions = await readPredictions(request.subject);
  const labels = (part?: PartName) => readLabels(request, predictions.classes, part);
  if (predictions.rows.every(({ split }) => split === '')) {
    const { parts, part } = await labels(request.part);
    return { predictions, parts, part };
  }
  const { parts } = await labels('all');
  return selectSplit(predictions, parts, request.part, request.subject);
}

async function openCheckpoint(
  path: string,
  openDevice: () => Promise<Device>,
  request: EvaluationRequest,
): Promise<EvaluationSubject> {
  const checkpoint = await readCheckpoint(path);
  const labels = await readLabels(request, checkpoint.classes, request.part);
  const predictions = await scoreLabelled(openDevice, labels, { ...request.scoring, checkpoint, path });
  const { parts, part } = labels;
  return { predictions, parts, part, trainingPrevalence: checkpoint.prevalence, checkpoint };
}

function readLabels(
  { data, images, subject }: EvaluationRequest,
  classes: readonly string[],
  part?: PartName,
) {
  if (data === undefined) {
    throw new EvaluationError(`say with --data which labels ${subject} is to be held against.`);
  }
  const table = { classes, unlabelled: true };
  return readEvaluationData(data, { table, ...(images !== undefined && { images }) }, part);
}

/** The rows of one split of the predictions, and their labels: the test split, if there is one and none is asked for. */
function selectSplit(
  { classes, rows }: Predictions,
  parts: readonly DataPart[],
  part: PartName | undefined,
  path: string,
): Pick<EvaluationSubject, 'predictions' | 'parts' | 'part' | 'validation'> {
  const splits = new Set(rows.map(({ split }) => split));
  const chosen = part ?? (splits.has('test') ? 'test' : splits.has('validation') ? 'validation' : 'all');
  const selected = chosen === 'all' ? rows : rows.filter(({ split }) => split === chosen);
  if (selected.length === 0) {
    throw new EvaluationError(`${path} has no rows of the ${chosen} part; it has ${[...splits].join(', ')}.`);
  }
  const labelled = (chosenRows: Predictions['rows']) => {
    const predictions = { classes, rows: chosenRows };
    return { predictions, parts: labelledRows(predictions, parts, path) };
  };
  if (chosen !== 'test') return { ...labelled(selected), part: chosen };
  const known = new Set(
    parts.flatMap(({ table, indices }) => Array.from(indices, (i) => table.rows[i]?.image)),
  );
  const held = rows.filter(({ split, image }) => split === 'validation' && known.has(image));
  return {
    ...labelled(selected),
    part: chosen,
    ...(held.some(({ probabilities }) => probabilities !== null) && { validation: labelled(held) }),
  };
}
