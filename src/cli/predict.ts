#!/usr/bin/env node
/** `predict`: a checkpoint's probabilities for the images of a table or folder, one row an image whatever happens. */
import { describeQuarantine } from '../data/images/scan.js';
import type { Device } from '../engine/device.js';
import { openDevice } from '../platform/node/open-device.js';
import { adjustPredictions, describeAdjustment } from '../predict/adjust-predictions.js';
import { openPredictionSource } from '../predict/prediction-source.js';
import { type Predictions, requireFreeFile, writePredictions } from '../predict/predictions.js';
import { scoreImages } from '../predict/score-images.js';
import { classifierRows, tauNormalise } from '../predict/tau-normalise.js';
import { readCheckpoint } from '../weights/checkpoint.js';
import { openWeightSource } from '../weights/weight-source.js';
import { command, runCommand } from './command.js';
import { addHubOption, fetching, type HubFlags } from './hub-option.js';
import { addKernelOptions, type KernelFlags, kernelTuning } from './kernel-options.js';
import { nonNegativeNumber, positiveNumber } from './number-option.js';
import { formatExplanation } from './text/plan-table.js';
import { ProgressLine } from './training-display.js';

interface PredictFlags extends KernelFlags, HubFlags {
  readonly images?: string;
  readonly out: string;
  readonly batchSize: number;
  readonly logitAdjust?: number;
  readonly tauNorm?: number;
  readonly adapter?: string;
  readonly strict?: boolean;
  readonly force?: boolean;
}

const program = addHubOption(addKernelOptions(command('predict', 'Score images with a trained checkpoint.')))
  .argument('<checkpoint>', 'best.safetensors of a run, or hf-hub:owner/name@revision:file')
  .argument('<images>', 'a CSV file that names images, or a folder of PNG and JPEG files')
  .option('--images <dir>', 'image folder of the CSV file (default: its own folder)')
  .option('--out <file>', 'where to write', 'predictions.csv')
  .option('--batch-size <n>', 'images at once; does not change the scores', positiveNumber, 32)
  .option(
    '--logit-adjust <tau>',
    'take the class frequencies of the training off the logits (Menon et al.); 1: all of it',
    nonNegativeNumber,
  )
  .option(
    '--tau-norm <tau>',
    'normalise the rows of a linear head (Kang et al.); 1: equal lengths; evaluate --tau-norm auto finds the best',
    nonNegativeNumber,
  )
  .option('--adapter <name>', 'GPU to use (default: TAILRAY_ADAPTER, else the best; see devices)')
  .option('--strict', 'refuse, and write nothing, if any image is unreadable')
  .option('--force', 'replace the file in --out')
  .option('--quiet', 'print nothing but errors')
  .action(predict);

async function predict(model: string, images: string, flags: PredictFlags): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const path = await fetching(flags, async (hub) => {
    const source = openWeightSource(model, hub);
    const file = await source.file();
    for (const note of await source.notes()) say(note);
    return file;
  });
  const checkpoint = await readCheckpoint(path);
  const rows = flags.tauNorm === undefined ? undefined : classifierRows(checkpoint);
  if (!flags.force) await requireFreeFile(flags.out);
  const pictures = await openPredictionSource(images, { images: flags.images, classes: checkpoint.classes });
  const progress = new ProgressLine(flags.quiet ?? false);
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
    say(describeQuarantine(scored.quarantined, scored.rows.length));
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
  } finally {
    progress.stop();
    device?.close();
  }
}

await runCommand(program);
