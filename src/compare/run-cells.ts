import { join } from 'node:path';
import type { Tuning } from '../engine/choose/tune.js';
import type { Device } from '../engine/device.js';
import { DeviceLostError, TailrayError } from '../engine/errors.js';
import { recipeDifferences } from '../recipe/recipe.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import type { RunSummary } from '../train/run/finish-run.js';
import { RunDirectory } from '../train/run/run-directory.js';
import { RunDirectoryError } from '../train/run/run-directory-error.js';
import { completeRecipe } from '../train/run/run-plan.js';
import { type TrainRunObserver, trainRun } from '../train/run/train-run.js';
import { examineTrainingData, type TrainingData } from '../train/run/training-data.js';
import { CompareError } from './compare-error.js';
import type { Cell } from './comparison-plan.js';

/**
 * Trains the runs of a comparison that are not there yet. A run is an ordinary run directory, so any of them can be looked
 * at, resumed or reported by itself; what is finished is left alone, what was stopped goes on, and several processes can
 * share the work: a run belongs to whoever holds its lock, and how far it is gets asked under the lock.
 */

/** What was, or has to be, done about a cell. */
export type CellState = 'finished' | 'stopped' | 'absent';

export interface Shard {
  /** From 0 on. */
  readonly index: number;
  readonly count: number;
}

/** Every `count`-th cell, from the one of that index on. */
export function shardOf(cells: readonly Cell[], { index, count }: Shard): Cell[] {
  return cells.filter((_, i) => i % count === index);
}

/** The run directory of a cell in the directory of a comparison. */
export function runOf(out: string, { name }: Cell): RunDirectory {
  return new RunDirectory(join(out, 'runs', name));
}

/**
 * How far a cell's run is.
 * @throws CompareError when the directory holds a run of other settings
 */
export async function cellState(run: RunDirectory, cell: Cell): Promise<CellState> {
  const traces = await run.traces();
  if (!traces.includes('recipe.yaml')) return 'absent';
  const { recipe } = await completeRecipe(cell.recipe);
  // results do not depend on the memory
  const differences = recipeDifferences(await run.recipe(), recipe).filter(
    (text) => !text.startsWith('memory:'),
  );
  if (differences.length > 0) {
    throw new CompareError(
      `${run.path} holds a run of other settings: ${differences.join('; ')}. Compare into another --out, or remove it.`,
    );
  }
  if (!traces.includes('summary.json')) return traces.includes('last') ? 'stopped' : 'absent';
  return (await run.isFinished()) ? 'finished' : 'stopped';
}

export interface RunCellsOptions {
  readonly device: Device;
  /** Where the data of a recipe lie. */
  dataPath(recipe: Recipe): Promise<string>;
  readonly tuning?: Tuning | undefined;
  readonly signal: AbortSignal;
  readonly observer: RunCellsObserver;
}

export interface RunCellsObserver {
  /** A cell that needs nothing; `reason` says why. */
  onSkipped(cell: Cell, reason: string): void;
  /** @returns what watches the run */
  onBegin(cell: Cell, place: number, total: number): TrainRunObserver;
  onEnd(cell: Cell, summary: RunSummary): Promise<void>;
  /** It diverged, or doesn't fit; the others go on. */
  onFailed(cell: Cell, error: TailrayError): void;
}

/**
 * Works through cells in their order until they are done or the signal comes.
 * @throws CompareError where a run of other settings is in the way, before any training; DeviceLostError
 */
export async function runCells(
  out: string,
  cells: readonly Cell[],
  { device, dataPath, tuning, signal, observer }: RunCellsOptions,
): Promise<void> {
  for (const cell of cells) await cellState(runOf(out, cell), cell);
  // those of the last run: the pictures of all that differ would not fit
  let examined: { readonly key: string; readonly data: TrainingData } | undefined;
  const dataOf = async (recipe: Recipe) => {
    const { data, preprocessing, batchSize } = recipe;
    const key = JSON.stringify([data, preprocessing, batchSize]);
    if (examined?.key !== key) {
      examined = { key, data: await examineTrainingData(await dataPath(recipe), recipe) };
    }
    return examined.data;
  };
  for (const [i, cell] of cells.entries()) {
    if (signal.aborted) return;
    const run = runOf(out, cell);
    const release = await run.lock().catch((error: unknown) => {
      if (!(error instanceof RunDirectoryError)) throw error;
      observer.onSkipped(cell, error.message);
    });
    if (!release) continue;
    try {
      const state = await cellState(run, cell);
      if (state === 'finished') {
        observer.onSkipped(cell, 'finished already');
        continue;
      }
      const { recipe, lossFile } = await completeRecipe(cell.recipe);
      const summary = await trainRun({
        device,
        recipe,
        data: await dataOf(recipe),
        run,
        lossFile,
        tuning,
        signal,
        resume: state === 'stopped',
        observer: observer.onBegin(cell, i, cells.length),
      });
      await observer.onEnd(cell, summary);
    } catch (error) {
      // one that diverges or doesn't fit must not keep the others from their turn
      if (!(error instanceof TailrayError) || error instanceof DeviceLostError) throw error;
      observer.onFailed(cell, error);
    } finally {
      await release();
    }
  }
}
