import type { PictureCache } from '../data/cache/picture-cache.js';
import { openDataset } from '../data/dataset.js';
import { type AcceptedDamage, type Quarantined, scanImages } from '../data/images/scan.js';
import type { LabelTable } from '../data/tables/table.js';
import type { Tuning } from '../engine/choose/tune.js';
import type { Device } from '../engine/device.js';
import { type Explanation, explainByRuns } from '../engine/run/explanation.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { Classifier } from './classifier.js';
import type { EvaluationData } from './evaluation-data.js';
import { predictDataset, predictionRows } from './predict.js';
import type { Predictions } from './predictions.js';
import { type TestTimeViews, ViewScorer } from './views/view-scorer.js';
import { viewsOf } from './views/views.js';

/** A checkpoint's scores for the images of a table, prepared as in its training. */
export interface ScoreImagesOptions {
  readonly checkpoint: Checkpoint;
  /** The checkpoint's path, for messages. */
  readonly path: string;
  readonly table: LabelTable;
  /** Rows of the table; all when absent. */
  readonly indices?: Int32Array | undefined;
  readonly imageRoot: string;
  /** Keeps prepared pictures for later starts. */
  readonly pictures?: PictureCache | undefined;
  /** Default 32. Does not change the scores. */
  readonly batchSize?: number | undefined;
  /** Several views of each image; only the image as it is when absent. */
  readonly views?: TestTimeViews | undefined;
  /** Refuse if any image is unreadable. */
  readonly strict?: boolean | undefined;
  /** Score damaged images, too, as far as they can be decoded; their rows get a note. */
  readonly lenient?: boolean | undefined;
  /** Which kernels to use on the device that was opened; absent: the rule's. */
  readonly tuning?: ((device: Device) => Tuning | undefined) | undefined;
  /** Asks where the time goes, before scoring. */
  readonly onExplanation?: ((explanation: Explanation) => void) | undefined;
  readonly onRead?: ((done: number, total: number) => void) | undefined;
  readonly onScored?: ((done: number, total: number) => void) | undefined;
}

export interface ScoredImages extends Predictions {
  readonly quarantined: readonly Quarantined[];
  readonly accepted: readonly AcceptedDamage[];
}

/**
 * One row for every image of the table, unreadable ones with a note instead of scores. `openDevice` is called only
 * after the images were looked at.
 * @throws QuarantineError (strict), CheckpointError 'mismatch', and what the device reports
 */
export async function scoreImages(
  openDevice: () => Promise<Device>,
  options: ScoreImagesOptions,
): Promise<ScoredImages> {
  const {
    checkpoint,
    path,
    table,
    indices,
    imageRoot,
    pictures,
    batchSize = 32,
    views = { set: 'none' },
    strict = false,
    lenient = false,
  } = options;
  const { classes, preprocessing } = checkpoint;
  const store = { root: imageRoot, preprocessing, cache: pictures, lenient };
  const all = openDataset({ table, ...store, ...(indices && { indices }) });
  const { readable, quarantined, accepted } = await scanImages(all, {
    strict,
    ...(options.onRead && { onProgress: options.onRead }),
  });
  const device = await openDevice();
  const classifier = await Classifier.load(device, checkpoint, {
    path,
    batchSize,
    tuning: options.tuning?.(device),
    views: views.set !== 'none',
    runs: Math.ceil(readable.length / batchSize) * viewsOf(views.set).length,
  });
  try {
    if (options.onExplanation) options.onExplanation(await explainByRuns(device, classifier.program));
    const scorer = views.set === 'none' ? classifier : new ViewScorer(classifier, views);
    const probabilities = await predictDataset(scorer, all.subset(readable), {
      ...(options.onScored && { onProgress: options.onScored }),
    });
    const rows = predictionRows({ all, quarantined, accepted }, probabilities, classes.length);
    return { classes, rows, quarantined, accepted };
  } finally {
    classifier.destroy();
  }
}

/** The scores of the labelled rows of an evaluation, all parts below each other. @throws as `scoreImages` */
export async function scoreLabelled(
  openDevice: () => Promise<Device>,
  { parts, imageRoot }: EvaluationData,
  options: Omit<ScoreImagesOptions, 'table' | 'indices' | 'imageRoot'>,
): Promise<Predictions> {
  const rows: Predictions['rows'][number][] = [];
  for (const { table, indices } of parts) {
    rows.push(...(await scoreImages(openDevice, { ...options, table, indices, imageRoot })).rows);
  }
  return { classes: options.checkpoint.classes, rows };
}
