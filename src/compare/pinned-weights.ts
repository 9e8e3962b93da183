import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isHubAddress } from '../hub/hub-address.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { storageError } from '../storage/atomic-file.js';
import { parseJson } from '../storage/parse-json.js';
import { openWeightSource } from '../weights/open-weight-source.js';
import { CompareError } from './compare-error.js';
import type { Cell } from './comparison-plan.js';

/**
 * Weights on a hub, at one commit for all runs of a comparison: a branch may move between two runs, and runs that start
 * from different weights can't be compared. The commits stand in weights.jsonl beside the runs, one JSON object a line.
 * Processes that share the work may add lines at the same time; the first line of an address counts for all of them.
 */
const FILE = 'weights.jsonl';

const pinSchema = z.strictObject({
  /** As the recipes say. */
  weights: z.string(),
  /** The same with its commit. */
  pinned: z.string(),
});

/** The cells with the commits that the comparison was begun with, as far as it was; asks no hub. @throws CompareError */
export async function pinnedCells(out: string, cells: readonly Cell[]): Promise<Cell[]> {
  const pins = await readPins(join(out, FILE));
  return cells.map((cell) => {
    const { model } = cell.recipe;
    const weights = pins.get(model.weights ?? '');
    return weights === undefined
      ? cell
      : { ...cell, recipe: { ...cell.recipe, model: { ...model, weights } } };
  });
}

/** The same after the hub was asked for each commit that is not known yet. @throws HubError, StorageError, CompareError */
export async function pinCells(out: string, cells: readonly Cell[], hub?: HubOptions): Promise<Cell[]> {
  const path = join(out, FILE);
  const known = await readPins(path);
  const named = new Set(cells.flatMap(({ recipe }) => recipe.model.weights ?? []));
  for (const weights of named) {
    if (!isHubAddress(weights) || known.has(weights)) continue;
    const pin: z.output<typeof pinSchema> = {
      weights,
      pinned: await openWeightSource(weights, hub).pinned(),
    };
    try {
      await mkdir(out, { recursive: true });
      await appendFile(path, `${JSON.stringify(pin)}\n`);
    } catch (error) {
      throw storageError(path, error);
    }
  }
  return pinnedCells(out, cells);
}

async function readPins(path: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const pins = new Map<string, string>();
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const pin = pinSchema.safeParse(parseJson(line));
    if (!pin.success) {
      throw new CompareError(
        `${path}, line ${i + 1}: names no weights and their commit. Restore the line, or compare into another --out.`,
      );
    }
    const { weights, pinned } = pin.data;
    if (!pins.has(weights)) pins.set(weights, pinned);
  }
  return pins;
}
