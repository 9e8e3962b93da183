import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isFinding } from '../../data/tables/findings.js';
import type { Device } from '../../engine/device.js';
import { TailrayError } from '../../engine/errors.js';
import { type ExplainRow, explainImages } from '../../explain/explain-images.js';
import type { Mask } from '../../explain/pointing/mask.js';
import { measurePointing, type PointingRow } from '../../explain/pointing/pointing.js';
import { phantomMasks } from '../../phantom/dataset-masks.js';
import { FINDING_RULES } from '../../phantom/findings/table.js';
import { RunDirectory } from '../../train/run/run-directory.js';
import { readCheckpoint } from '../../weights/checkpoint.js';
import { type ExaminedRun, inColumnOrder } from '../examine-run.js';
import { withoutFolders } from '../local-folders.js';
import type { LookAt } from './looked.js';

/** Maps of a run's best checkpoint, by Grad-CAM, which any network allows. */

export interface RunMaps {
  readonly lookAt: LookAt;
  /** How well maps of present findings hit what was drawn; null where the images are no phantoms. */
  pointing(): Promise<readonly PointingRow[] | null>;
}

/** Maps, or why there are none. */
export type ExplainRun = (run: ExaminedRun) => Promise<RunMaps | WithoutMaps>;

export interface WithoutMaps {
  /** Without the folders of this machine. */
  readonly reason: string;
}

/** Maps are drawn between the few cells of a network to this many pixels a side. */
const SIDE = 32;

/** Images of a finding that are held against their masks: each is drawn again for it, which takes a quarter of a second where it is large. */
export const POINTED = 10;

/** @param openDevice called when the first map is wanted; the caller closes the device */
export function explainRuns(
  openDevice: () => Promise<Device>,
  { resamples }: { resamples?: number | undefined } = {},
): ExplainRun {
  return (run) => orReason(run, () => open(run, openDevice, resamples));
}

/** What a report can do without is no reason to have none. */
export async function orReason<T>(
  { record, data }: ExaminedRun,
  make: () => Promise<T>,
): Promise<T | WithoutMaps> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof TailrayError)) throw error;
    const local = withoutFolders([record.path, ...(data === null ? [] : [data.path, data.source.imageRoot])]);
    return { reason: local(error.message) };
  }
}

async function open(
  run: ExaminedRun,
  openDevice: () => Promise<Device>,
  resamples: number | undefined,
): Promise<RunMaps | WithoutMaps> {
  const { record, data, primary } = run;
  if (data === null || primary === null) return { reason: 'no labelled image was scored.' };
  const path = new RunDirectory(record.path).best;
  const checkpoint = await readCheckpoint(path);
  const names = inColumnOrder(run.classes).map(({ name }) => name);
  if (JSON.stringify(checkpoint.classes) !== JSON.stringify(names)) {
    return { reason: 'best.safetensors has other classes than the data.' };
  }
  const device = await openDevice();
  const explain = (rows: readonly ExplainRow[]) =>
    // only images with a score are asked about, so that damaged ones were accepted before
    explainImages(device, { checkpoint, path, imageRoot: data.source.imageRoot, rows, lenient: true });
  return {
    lookAt: async (requests) => {
      const { maps } = await explain(requests);
      return requests.map((_, i) => ({
        map: maps.stretched(i, [SIDE, SIDE]),
        width: SIDE,
        height: SIDE,
        method: 'Grad-CAM',
      }));
    },
    pointing: async () => {
      const folder = (await stat(data.path)).isDirectory() ? data.path : dirname(data.path);
      const masks = run.simulated ? await phantomMasks(folder) : null;
      if (masks === null) return null;
      // drawn once, and asked for twice
      const known = new Map<string, Mask>();
      const present: { row: ExplainRow; patient: string | null }[] = [];
      for (const [column, name] of names.entries()) {
        if (!isFinding(name) || !FINDING_RULES[name].focal) continue;
        let taken = 0;
        for (const [i, image] of primary.images.entries()) {
          if (taken === POINTED || primary.targets[i * names.length + column] !== 1) continue;
          const mask = await masks(image, name);
          if (mask === null) continue;
          taken++;
          known.set(`${name} ${image}`, mask);
          present.push({ row: { image, column }, patient: primary.patients[i] ?? null });
        }
      }
      if (present.length === 0) return null;
      const explained = await explain(present.map(({ row }) => row));
      const patients = present.map(({ patient }) => patient);
      return measurePointing(explained, async (image, name) => known.get(`${name} ${image}`) ?? null, {
        classes: names,
        patients,
        ...(resamples !== undefined && { resamples }),
      });
    },
  };
}
