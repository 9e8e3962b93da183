#!/usr/bin/env node
/** `explain-image`: where a checkpoint looked, as overlays on radiographs; and how well maps hit masks that are known. */
import { Option } from 'commander';
import { describeQuarantine } from '../data/images/scan.js';
import type { Device } from '../engine/device.js';
import { ExplainError } from '../explain/explain-error.js';
import { type ExplainedImages, type ExplainRow, explainImages } from '../explain/explain-images.js';
import { EXPLAIN_METHODS, type ExplainMethod, METHOD_TEXTS } from '../explain/maps/method.js';
import { openPictureSources } from '../explain/picture-sources.js';
import {
  RAW_FORMATS,
  type RawFormat,
  requireEmptyFolder,
  writeOverlays,
} from '../explain/pictures/write-overlays.js';
import { type MaskSource, maskFolder } from '../explain/pointing/mask.js';
import { measurePointing } from '../explain/pointing/pointing.js';
import { openDevice } from '../platform/node/open-device.js';
import type { PredictionSource } from '../predict/prediction-source.js';
import type { Prediction } from '../predict/predictions.js';
import { scoreImages } from '../predict/score-images.js';
import { counted, decimals } from '../text/numbers.js';
import { paddedTable } from '../text/padded-table.js';
import { type Checkpoint, readCheckpoint } from '../weights/checkpoint.js';
import { openWeightSource } from '../weights/open-weight-source.js';
import { command, runCommand } from './command.js';
import { addCacheOptions, type CacheFlags, pictureCache } from './options/cache-option.js';
import { adapterOption, imagesOption, resamplesOption } from './options/common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './options/hub-option.js';
import { positiveNumber } from './options/number-option.js';
import { formatPointing } from './text/pointing-table.js';
import { ProgressLine } from './training-display.js';

interface ExplainFlags extends HubFlags, CacheFlags {
  readonly images?: string;
  readonly class: readonly string[];
  readonly top: number;
  readonly method: ExplainMethod;
  readonly out?: string;
  readonly raw?: RawFormat;
  readonly masks?: string;
  readonly resamples: number;
  readonly batchSize: number;
  readonly adapter?: string;
  readonly lenient?: boolean;
  readonly force?: boolean;
  readonly quiet?: boolean;
}

const DEFAULT_OUT = 'explained';

const program = command('explain-image')
  .argument('<checkpoint>', 'best.safetensors of a run, or hf-hub:owner/name@revision:file')
  .argument('<images...>', 'pictures (PNG, JPEG, DICOM), folders of them, or CSV files that name them')
  .addOption(imagesOption())
  .addOption(
    new Option('--class <name>', 'a class to explain; repeatable (else: those with the highest scores)')
      .argParser((name, before: readonly string[]) => [...before, name])
      .default([], 'none'),
  )
  .option('--top <n>', 'how many classes of each image, where none is named', positiveNumber, 3)
  .addOption(
    new Option(
      '--method <name>',
      "grad-cam: any network; csra: that head's attention; rollout: transformers' attention",
    )
      .choices(EXPLAIN_METHODS)
      .default('grad-cam'),
  )
  .option('--out <dir>', `folder to write overlays to (default: ${DEFAULT_OUT}; with --masks: none)`)
  .addOption(
    new Option(
      '--raw [format]',
      "the map beside its overlay: npy, the method's own values; png, 16 bits for 0 to 1",
    )
      .choices(RAW_FORMATS)
      .preset('npy'),
  )
  .option(
    '--masks <dir>',
    'masks, DIR/<class>/<image>.png (synth --masks): print how well the maps of masked classes hit them',
  )
  .addOption(resamplesOption().default(1000))
  .option('--batch-size <n>', 'images at once; does not change the maps', positiveNumber, 8)
  .addOption(adapterOption())
  .option('--lenient', 'use damaged images as far as they decode')
  .option('--force', 'write into a folder that has files already')
  .option('--quiet', 'print nothing but errors and the table of --masks')
  .action(explain);
addCacheOptions(addHubOption(program));

async function explain(model: string, paths: readonly string[], flags: ExplainFlags): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const progress = new ProgressLine(flags.quiet ?? false);
  const source = openWeightSource(model, hubOptions(flags, progress));
  const path = await source.file().finally(() => progress.stop());
  const checkpoint = await readCheckpoint(path);
  const named = columnsOf(flags.class, checkpoint);
  const masks = flags.masks === undefined ? undefined : await maskFolder(flags.masks);
  const out = flags.out ?? (masks ? undefined : DEFAULT_OUT);
  if (out !== undefined && !flags.force) await requireEmptyFolder(out);
  const sources = await openPictureSources(paths, { images: flags.images, classes: checkpoint.classes });
  let device: Device | undefined;
  const open = async () => {
    progress.stop();
    device ??= await openDevice({ adapter: flags.adapter });
    return device;
  };
  const explained: Explained[] = [];
  const taken = new Set<string>();
  try {
    for (const pictures of sources) {
      const scored = await scoreImages(open, {
        ...pictures,
        checkpoint,
        path,
        pictures: pictureCache(flags),
        lenient: flags.lenient,
        onRead: (done, total) => progress.show('reading', done, total, () => 'images'),
        onScored: (done, total) => progress.show('scoring', done, total, () => 'images'),
      });
      progress.stop();
      say(describeQuarantine(scored.quarantined, scored.rows.length, scored.accepted));
      const rows = await rowsOf(scored.rows, { named, masks, checkpoint, top: flags.top });
      const result = await explainImages(await open(), {
        checkpoint,
        path,
        imageRoot: pictures.imageRoot,
        rows,
        method: flags.method,
        pictures: pictureCache(flags),
        batchSize: flags.batchSize,
        lenient: flags.lenient,
        onProgress: (done, total) => progress.show('explaining', done, total, () => 'maps'),
      });
      progress.stop();
      explained.push({ result, pictures });
      if (out === undefined || rows.length === 0) continue;
      const { imageRoot } = pictures;
      const files = await writeOverlays(result, {
        ...{ checkpoint, imageRoot, out, masks, taken },
        raw: flags.raw,
        lenient: flags.lenient,
        onProgress: (done, total) => progress.show('drawing', done, total, () => 'overlays'),
      });
      progress.stop();
      say(listing(result, files, checkpoint.classes));
    }
  } finally {
    progress.stop();
    device?.close();
  }
  const all = explained.reduce((sum, { result }) => sum + result.rows.length, 0);
  if (all === 0) throw new ExplainError(nothing(flags));
  say(`${counted(all, 'map')}${out === undefined ? '' : ` in ${out}`}. ${METHOD_TEXTS[flags.method]}`);
  if (masks) await printPointing(explained, masks, { flags, checkpoint });
}

interface Explained {
  readonly result: ExplainedImages;
  readonly pictures: PredictionSource;
}

/** @throws ExplainError naming a class that the checkpoint has not */
function columnsOf(names: readonly string[], { classes }: Checkpoint): number[] {
  return names.map((name) => {
    const column = classes.indexOf(name);
    if (column >= 0) return column;
    throw new ExplainError(`--class ${name}: the model has no such class; it has ${classes.join(', ')}.`);
  });
}

/** For which classes each readable image is asked about: those that were named, those with a mask, or the highest. */
async function rowsOf(
  scored: readonly Prediction[],
  {
    named,
    masks,
    checkpoint: { classes },
    top,
  }: { named: readonly number[]; masks: MaskSource | undefined; checkpoint: Checkpoint; top: number },
): Promise<ExplainRow[]> {
  const rows: ExplainRow[] = [];
  const wanted = named.length > 0 ? named : [...classes.keys()];
  for (const { image, probabilities } of scored) {
    if (probabilities === null) continue;
    let columns = wanted;
    if (masks) {
      const masked = await Promise.all(wanted.map((column) => masks(image, classes[column] ?? '')));
      columns = wanted.filter((_, i) => masked[i] !== null);
    } else if (named.length === 0) {
      const score = (column: number) => probabilities[column] as number;
      columns = wanted.toSorted((a, b) => score(b) - score(a)).slice(0, top);
    }
    rows.push(...columns.map((column) => ({ image, column })));
  }
  return rows;
}

function listing({ rows }: ExplainedImages, files: readonly string[], classes: readonly string[]): string {
  const cells = rows.map(({ image, column, probability }, i) => [
    image,
    classes[column] ?? '',
    decimals(probability, 3),
    files[i] ?? '',
  ]);
  const lines = paddedTable([['image', 'class', 'score', 'overlay'], ...cells], {
    right: (column) => column === 2,
  });
  return lines.join('\n');
}

function nothing({ masks }: ExplainFlags): string {
  return masks === undefined
    ? 'none of the images can be read, so there is nothing to explain.'
    : `no image has a mask in ${masks} for a class of the model: masks are files DIR/<class>/<image>.png.`;
}

async function printPointing(
  explained: readonly Explained[],
  masks: MaskSource,
  { flags, checkpoint: { classes } }: { flags: ExplainFlags; checkpoint: Checkpoint },
): Promise<void> {
  for (const { result, pictures } of explained) {
    if (result.rows.length === 0) continue;
    const patientOf = new Map(pictures.table.rows.map(({ image, patient }) => [image, patient]));
    const patients = result.rows.map(({ image }) => patientOf.get(image) ?? null);
    const rows = await measurePointing(result, masks, { classes, patients, resamples: flags.resamples });
    process.stdout.write(`\n${pictures.table.path}\n${formatPointing(rows)}\n`);
  }
}

await runCommand(program);
