import { join } from 'node:path';
import type { Tuning } from '../engine/choose/tune.js';
import type { Device } from '../engine/device.js';
import { DeviceLostError, TailrayError } from '../engine/errors.js';
import { recipeDifferences } from '../recipe/recipe.js';
import type { RunSummary } from '../train/run/finish-run.js';
import { type PrepareOptions, prepareRun } from '../train/run/prepare-run.js';
import { RunDirectory } from '../train/run/run-directory.js';
import { RunDirectoryError } from '../train/run/run-directory-error.js';
import { announce, type RunEvent } from '../train/run/run-event.js';
import { completeRecipe } from '../train/run/run-plan.js';
import { ExaminedSets } from '../train/run/stage-data.js';
import { trainRun } from '../train/run/train-run.js';
import { CompareError } from './compare-error.js';
import type { Cell } from './comparison-plan.js';
import { pinCells } from './pinned-weights.js';

/**
 * Trains the runs of a comparison that are not there yet. A run is an ordinary run directory, so any of them can be looked
 * at, resumed or reported by itself; finished runs are left alone, stopped ones go on, and several processes can
 * share the work: a run belongs to the process that holds its lock, and how far it is gets asked under the lock.
 */

/** The work that was, or has to be, done for a cell. */
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

export interface RunCellsOptions extends Pick<PrepareOptions, 'cache' | 'pictures' | 'hub'> {
  readonly device: Device;
  readonly tuning?: Tuning | undefined;
  readonly signal: AbortSignal;
  /** Told of everything that happens, one after another. */
  readonly listeners: readonly CellListener[];
}

/** News of a comparison's runs, in the order in which it happens. */
export type CellEvent =
  /** A cell needs nothing; `reason` says why. */
  | { readonly kind: 'skipped'; readonly cell: Cell; readonly reason: string }
  | { readonly kind: 'begun'; readonly cell: Cell; readonly place: number; readonly total: number }
  | { readonly kind: 'run'; readonly cell: Cell; readonly event: RunEvent }
  | { readonly kind: 'ended'; readonly cell: Cell; readonly summary: RunSummary }
  /** The cell's run diverged, or doesn't fit; the others go on. */
  | { readonly kind: 'failed'; readonly cell: Cell; readonly error: TailrayError };

export type CellListener = (event: CellEvent) => void | Promise<void>;

/**
 * Works through cells in their order until they are done or the signal comes.
 * @throws CompareError where a run of other settings is in the way, HubError where a commit can't be had, both before any
 *   training; DeviceLostError
 */
export async function runCells(
  out: string,
  cells: readonly Cell[],
  { device, cache, pictures, hub, tuning, signal, listeners }: RunCellsOptions,
): Promise<void> {
  const pinned = await pinCells(out, cells, hub);
  for (const cell of pinned) await cellState(runOf(out, cell), cell);
  // runs in a row that share data read them once
  const sets = new ExaminedSets();
  const tell = (event: CellEvent) => announce(listeners, event);
  for (const [place, cell] of pinned.entries()) {
    if (signal.aborted) return;
    const run = runOf(out, cell);
    const release = await run.lock().catch(async (error: unknown) => {
      if (!(error instanceof RunDirectoryError)) throw error;
      await tell({ kind: 'skipped', cell, reason: error.message });
    });
    if (!release) continue;
    try {
      const state = await cellState(run, cell);
      if (state === 'finished') {
        await tell({ kind: 'skipped', cell, reason: 'finished already' });
        continue;
      }
      const plan = { ...(await completeRecipe(cell.recipe)), run, resume: state === 'stopped', notes: [] };
      const prepared = await prepareRun(plan, { cache, pictures, hub, sets });
      await tell({ kind: 'begun', cell, place, total: pinned.length });
      const listener = (event: RunEvent) => tell({ kind: 'run', cell, event });
      const summary = await trainRun(prepared, { device, tuning, signal, listeners: [listener] });
      await tell({ kind: 'ended', cell, summary });
    } catch (error) {
      // one that diverges or doesn't fit must not keep the others from their turn
      if (!(error instanceof TailrayError) || error instanceof DeviceLostError) throw error;
      await tell({ kind: 'failed', cell, error });
    } finally {
      await release();
    }
  }
}
