import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { RunDirectory } from './run-directory.js';
import type { Progress } from './saved-state.js';

/**
 * The weights of the best epochs, `checkpoint.keep` of them, in the folder `kept/` of a run. Which these are is part of
 * the saved state. A file that falls out goes once a state is saved that no longer names it, so a run that is killed at
 * any moment goes on with all files that its state names.
 */
export type Kept = NonNullable<Progress['kept']>;

/** What a file of the folder is called, or was called while it was written. */
const NAME = /^epoch-\d+\.safetensors(\.partial)?$/;

/**
 * The list with an epoch that was validated now, the best first. Of equals the earlier stays, as with the best weights;
 * where the measure is undefined, the later.
 * @param most files to keep
 * @returns null where the epoch is not among them
 */
export function withEpoch(kept: Kept, epoch: Kept[number], most: number): Kept | null {
  // after a rollback an epoch comes a second time, and one file of it can be kept
  const earlier = kept.find((other) => other.epoch === epoch.epoch);
  if (earlier && byRank(earlier, epoch) <= 0) return null;
  const ranked = [...kept.filter((other) => other !== earlier), epoch].sort(byRank).slice(0, most);
  return ranked.includes(epoch) ? ranked : null;
}

function byRank(a: Kept[number], b: Kept[number]): number {
  if (a.mAP === null && b.mAP === null) return b.epoch - a.epoch;
  if (a.mAP === null || b.mAP === null) return a.mAP === null ? 1 : -1;
  return b.mAP - a.mAP || a.epoch - b.epoch;
}

/** `epoch-012.safetensors` */
export function keptName({ epoch }: Pick<Kept[number], 'epoch'>): string {
  return `epoch-${String(epoch).padStart(3, '0')}.safetensors`;
}

/** Removes the files that a saved state doesn't name. @throws what the disk reports */
export async function tidyKept(
  { keptFolder, files }: Pick<RunDirectory, 'keptFolder' | 'files'>,
  { kept = [] }: Pick<Progress, 'kept'>,
): Promise<void> {
  const names = new Set(kept.map(keptName));
  for (const name of await readdir(keptFolder).catch(() => [])) {
    if (!NAME.test(name) || names.has(name)) continue;
    await files.rm(join(keptFolder, name), { force: true, recursive: false });
  }
}

/** For summary.json: paths from the run's folder. */
export function describeKept(
  { keptFolder }: Pick<RunDirectory, 'keptFolder'>,
  kept: Kept,
): (Kept[number] & { readonly file: string })[] {
  return kept.map((epoch) => ({ ...epoch, file: `${basename(keptFolder)}/${keptName(epoch)}` }));
}
