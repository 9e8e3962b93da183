#!/usr/bin/env node
/** `predict`: the probabilities of a checkpoint, or of several together, one row an image whatever happens. */
import type { PictureCache } from '../data/cache/picture-cache.js';
import { describeQuarantine } from '../data/images/scan.js';
import type { Device } from '../engine/device.js';
import { openDevice } from '../platform/node/open-device.js';
import { adjustPredictions, describeAdjustment } from '../predict/adjust-predictions.js';
import { type EnsembleMember, ensemblePredictions, requireSameClasses } from '../predict/ensemble.js';
import { gatePredictions, requireNormal } from '../predict/gate-predictions.js';
import { openPredictionSource } from '../predict/prediction-source.js';
import { type Predictions, requireFreeFile, writePredictions } from '../predict/predictions.js';
import { type ScoredImages, scoreImages } from '../predict/score-images.js';
import { writeSubmission } from '../predict/submission/submission.js';
import { classifierRows, tauNormalise } from '../predict/tau-normalise.js';
import type { Merge } from '../predict/views/merge.js';
import type { ViewSet } from '../predict/views/views.js';
import { type Checkpoint, readCheckpoint } from '../weights/checkpoint.js';
import { openWeightSource } from '../weights/open-weight-source.js';
import { command, runCommand } from './command.js';
import { addCacheOptions, type CacheFlags, pictureCache } from './options/cache-option.js';
import {
  adapterOption,
  batchSizeOption,
  imagesOption,
  logitAdjustOption,
  normalClassOption,
  normalGateOption,
  requireWeights,
  tauNormOption,
  ttaMergeOption,
  ttaOption,
  weightsOption,
} from './options/common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './options/hub-option.js';
import { addKernelOptions, type KernelFlags, kernelTuning } from './options/kernel-options.js';
import { nonNegativeNumber } from './options/number-option.js';
import { formatExplanation } from './text/plan-table.js';
import { ProgressLine } from './training-display.js';

interface PredictFlags extends KernelFlags, HubFlags, CacheFlags {
  readonly images?: string;
  readonly out: string;
  readonly submission?: string;
  readonly batchSize: number;
  readonly tta: ViewSet;
  readonly ttaMerge: Merge;
  readonly weights?: readonly number[];
  readonly normalGate?: number;
  readonly normalClass: string;
  readonly logitAdjust?: number;
  readonly tauNorm?: number;
  readonly adapter?: string;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly force?: boolean;
}

const program = command('predict')
  .usage('[options] <checkpoint...> <data>')
  .argument(
    '<files...>',
    'checkpoints: best.safetensors of a run, or hf-hub:owner/name@revision:file, several for their mean; ' +
      'then the data: a CSV file that names images, or a folder of PNG and JPEG files',
  )
  .addOption(imagesOption())
  .option('--out <file>', 'where to write', 'predictions.csv')
  .option('--submission <file>', 'the same as a submission: a row for every image, no notes')
  .addOption(batchSizeOption())
  .addOption(ttaOption('merge scores'))
  .addOption(ttaMergeOption())
  .addOption(weightsOption())
  .addOption(normalGateOption())
  .addOption(normalClassOption())
  .addOption(logitAdjustOption())
  .addOption(tauNormOption(nonNegativeNumber, 'evaluate --tau-norm auto finds the best'))
  .addOption(adapterOption())
  .option('--strict', 'refuse, and write nothing, if any image cannot be used')
  .option(
    '--lenient',
    'score damaged images as far as they decode, with a note; --strict then refuses only the others',
  )
  .option('--force', 'replace the files in --out and --submission')
  .option('--quiet', 'print nothing but errors')
  .action(predict);
addCacheOptions(addHubOption(addKernelOptions(program)));

async function predict(files: readonly string[], flags: PredictFlags): Promise<void> {
  const [models, data] = [files.slice(0, -1), files.at(-1)];
  if (data === undefined || models.length === 0) {
    return program.error("error: missing required argument 'data'");
  }
  const { out, submission, normalClass: normal } = flags;
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const progress = new ProgressLine(flags.quiet ?? false);
  const members: Member[] = [];
  for (const model of models) members.push(await openMember(model, flags, { progress, say }));
  requireTogether(members, flags);
  if (!flags.force) {
    await requireFreeFile(out);
    if (submission !== undefined) await requireFreeFile(submission, '--submission');
  }
  let device: Device | undefined;
  const open = async () => {
    progress.stop();
    device ??= await openDevice({ adapter: flags.adapter });
    return device;
  };
  try {
    const pictures = pictureCache(flags);
    const scored: EnsembleMember[] = [];
    for (const [m, member] of members.entries()) {
      const own = { data, flags, pictures, progress, say, first: m === 0 };
      const predictions = await scoreMember(open, member, own);
      scored.push({ predictions, weight: flags.weights?.[m] ?? 1, name: member.path });
    }
    let predictions = ensemblePredictions(scored);
    if (flags.normalGate !== undefined) {
      predictions = gatePredictions(predictions, { alpha: flags.normalGate, normal });
      say(`scores gated by ${normal}, alpha ${flags.normalGate}.`);
    }
    await writePredictions(out, predictions);
    const together = members.length > 1 ? ` of ${members.length} models` : '';
    say(`${predictions.rows.length} rows for ${predictions.classes.length} classes${together} in ${out}`);
    if (submission !== undefined) say(`submission: ${await writeSubmission(submission, predictions)}`);
  } finally {
    progress.stop();
    device?.close();
  }
}

interface Member {
  readonly path: string;
  readonly checkpoint: Checkpoint;
  /** For --tau-norm. */
  readonly rows: ReturnType<typeof classifierRows> | undefined;
}

interface Display {
  readonly progress: ProgressLine;
  readonly say: (text: string) => void;
}

async function openMember(model: string, flags: PredictFlags, { progress, say }: Display): Promise<Member> {
  const source = openWeightSource(model, hubOptions(flags, progress));
  const path = await source.file().finally(() => progress.stop());
  for (const note of await source.notes()) say(note);
  const checkpoint = await readCheckpoint(path);
  return { path, checkpoint, rows: flags.tauNorm === undefined ? undefined : classifierRows(checkpoint) };
}

/** What can be wrong with an ensemble or a gate, before any image is scored. @throws EvaluationError */
function requireTogether(
  members: readonly Member[],
  { weights, normalGate, normalClass }: PredictFlags,
): void {
  requireWeights(weights, members.length);
  requireSameClasses(members.map(({ path, checkpoint }) => ({ name: path, classes: checkpoint.classes })));
  if (normalGate !== undefined) requireNormal(members[0]?.checkpoint.classes ?? [], normalClass);
}

interface Scoring {
  readonly data: string;
  readonly flags: PredictFlags;
  readonly pictures: PictureCache | undefined;
  /** Whether it is the first of several models. */
  readonly first: boolean;
}

/** One checkpoint's scores; the priors of its own training and its own classifier change them. */
async function scoreMember(
  open: () => Promise<Device>,
  { path, checkpoint, rows }: Member,
  { data, flags, pictures, progress, say, first }: Display & Scoring,
): Promise<Predictions> {
  const source = await openPredictionSource(data, { images: flags.images, classes: checkpoint.classes });
  const scored: ScoredImages = await scoreImages(open, {
    ...source,
    checkpoint,
    path,
    pictures,
    batchSize: flags.batchSize,
    views: { set: flags.tta, merge: flags.ttaMerge },
    strict: flags.strict,
    lenient: flags.lenient,
    tuning: (opened) => kernelTuning(opened, flags),
    ...(flags.explain && {
      onExplanation: (explanation) => {
        progress.stop();
        process.stdout.write(`\n${formatExplanation(explanation, flags.explain)}\n`);
      },
    }),
    onRead: (done, total) => progress.show('reading', done, total, () => 'images'),
    onScored: (done, total) => progress.show('scoring', done, total, () => 'images'),
  });
  progress.stop();
  if (first) {
    say(describeQuarantine(scored.quarantined, scored.rows.length, scored.accepted));
    if (scored.quarantined.length > 0) say(`image folder: ${source.imageRoot}`);
  }
  let predictions: Predictions = scored;
  if (rows !== undefined) {
    predictions = tauNormalise(predictions, rows, flags.tauNorm ?? 0);
    say(`rows of the classifier normalised, tau ${flags.tauNorm}.`);
  }
  if (flags.logitAdjust === undefined) return predictions;
  const adjusted = adjustPredictions(predictions, checkpoint.prevalence, flags.logitAdjust);
  say(describeAdjustment(flags.logitAdjust, adjusted));
  return adjusted.predictions;
}

await runCommand(program);
