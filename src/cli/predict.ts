#!/usr/bin/env node
/** `predict`: a checkpoint's probabilities for the images of a table or folder, one row an image whatever happens. */
import { describeQuarantine } from '../data/images/scan.js';
import type { Device } from '../engine/device.js';
import { openDevice } from '../platform/node/open-device.js';
import { adjustPredictions, describeAdjustment } from '../predict/adjust-predictions.js';
import { openPredictionSource } from '../predict/prediction-source.js';
import { type Predictions, requireFreeFile, writePredictions } from '../predict/predictions.js';
import { scoreImages } from '../predict/score-images.js';
import { writeSubmission } from '../predict/submission/submission.js';
import { classifierRows, tauNormalise } from '../predict/tau-normalise.js';
import { readCheckpoint } from '../weights/checkpoint.js';
import { openWeightSource } from '../weights/open-weight-source.js';
import { command, runCommand } from './command.js';
import {
  adapterOption,
  batchSizeOption,
  imagesOption,
  logitAdjustOption,
  tauNormOption,
} from './common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './hub-option.js';
import { addKernelOptions, type KernelFlags, kernelTuning } from './kernel-options.js';
import { nonNegativeNumber } from './number-option.js';
import { formatExplanation } from './text/plan-table.js';
import { ProgressLine } from './training-display.js';

interface PredictFlags extends KernelFlags, HubFlags {
  readonly images?: string;
  readonly out: string;
  readonly submission?: string;
  readonly batchSize: number;
  readonly logitAdjust?: number;
  readonly tauNorm?: number;
  readonly adapter?: string;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly force?: boolean;
}

const program = command('predict')
  .argument('<checkpoint>', 'best.safetensors of a run, or hf-hub:owner/name@revision:file')
  .argument('<data>', 'a CSV file that names images, or a folder of PNG and JPEG files')
  .addOption(imagesOption())
  .option('--out <file>', 'where to write', 'predictions.csv')
  .option('--submission <file>', 'the same as a submission: a row for every image, no notes')
  .addOption(batchSizeOption())
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
addHubOption(addKernelOptions(program));

async function predict(model: string, images: string, flags: PredictFlags): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const progress = new ProgressLine(flags.quiet ?? false);
  const source = openWeightSource(model, hubOptions(flags, progress));
  const path = await source.file().finally(() => progress.stop());
  for (const note of await source.notes()) say(note);
  const checkpoint = await readCheckpoint(path);
  const rows = flags.tauNorm === undefined ? undefined : classifierRows(checkpoint);
  if (!flags.force) {
    await requireFreeFile(flags.out);
    if (flags.submission !== undefined) await requireFreeFile(flags.submission, '--submission');
  }
  const pictures = await openPredictionSource(images, { images: flags.images, classes: checkpoint.classes });
  let device: Device | undefined;
  const open = async () => {
    progress.stop();
    device = await openDevice({ adapter: flags.adapter });
    return device;
  };
  try {
    const scored = await scoreImages(open, {
      ...pictures,
      checkpoint,
      path,
      batchSize: flags.batchSize,
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
    say(describeQuarantine(scored.quarantined, scored.rows.length, scored.accepted));
    if (scored.quarantined.length > 0) say(`image folder: ${pictures.imageRoot}`);
    let predictions: Predictions = scored;
    if (rows !== undefined) {
      predictions = tauNormalise(predictions, rows, flags.tauNorm ?? 0);
      say(`rows of the classifier normalised, tau ${flags.tauNorm}.`);
    }
    if (flags.logitAdjust !== undefined) {
      const adjusted = adjustPredictions(predictions, checkpoint.prevalence, flags.logitAdjust);
      say(describeAdjustment(flags.logitAdjust, adjusted));
      predictions = adjusted.predictions;
    }
    await writePredictions(flags.out, predictions);
    say(`${scored.rows.length} rows for ${checkpoint.classes.length} classes in ${flags.out}`);
    if (flags.submission !== undefined) {
      say(`submission: ${await writeSubmission(flags.submission, predictions)}`);
    }
  } finally {
    progress.stop();
    device?.close();
  }
}

await runCommand(program);
