import type { Dataset } from '../data/dataset.js';
import type { AcceptedDamage, Quarantined } from '../data/images/scan.js';
import { BatchLoader } from '../data/loader.js';
import { inFlight } from './in-flight.js';
import type { Prediction } from './predictions.js';
import type { Scorer } from './scorer.js';

/** Scores for whole data sets. */

export interface PredictOptions {
  /** After each batch; scoring waits for it. */
  readonly onProgress?: (done: number, total: number) => void | Promise<void>;
  /** Stops between two batches; the returned promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Probabilities of every picture of a data set of readable pictures.
 * @returns [dataset.length, classes] in [0, 1]
 * @throws ImageError when a picture became unreadable
 */
export async function predictDataset(
  scorer: Scorer,
  dataset: Dataset,
  { onProgress, signal }: PredictOptions = {},
): Promise<Float32Array> {
  const { batchSize, classes } = scorer;
  const out = new Float32Array(dataset.length * classes);
  const loader = new BatchLoader({ dataset, batchSize, lastBatch: 'pad' });
  const scored = inFlight(loader, async ({ index, pixels, valid }) => ({
    index,
    valid,
    probabilities: await scorer.probabilities(pixels),
  }));
  for await (const { index, valid, probabilities } of scored) {
    signal?.throwIfAborted();
    out.set(probabilities.subarray(0, valid * classes), index * batchSize * classes);
    await onProgress?.(index * batchSize + valid, dataset.length);
  }
  return out;
}

/** The labels of a data set: [dataset.length, classes], NaN = unknown. */
export function datasetTargets(dataset: Dataset): Float32Array {
  const classes = dataset.classes.length;
  const out = new Float32Array(dataset.length * classes);
  for (let i = 0; i < dataset.length; i++) out.set(dataset.labels(i), i * classes);
  return out;
}

/**
 * One row for every image of `all`, in its order: scored where readable, with its note where quarantined, with both
 * where it is damaged and used all the same.
 * @param probabilities [readable images, classes]
 */
export function predictionRows(
  part: {
    readonly all: Dataset;
    readonly quarantined: readonly Quarantined[];
    readonly accepted: readonly AcceptedDamage[];
  },
  probabilities: Float32Array,
  classes: number,
  split = '',
): Prediction[] {
  const notes = new Map(part.quarantined.map((entry) => [entry.position, `${entry.kind}: ${entry.reason}`]));
  const damages = new Map(part.accepted.map(({ position, damage }) => [position, `used in part: ${damage}`]));
  let next = 0;
  return Array.from({ length: part.all.length }, (_, position): Prediction => {
    const { image } = part.all.row(position);
    const note = notes.get(position);
    if (note !== undefined) return { image, probabilities: null, split, note };
    const row = probabilities.subarray(next * classes, (next + 1) * classes);
    next++;
    return { image, probabilities: row, split, note: damages.get(position) ?? '' };
  });
}
