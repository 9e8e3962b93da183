import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describeQuarantine } from '../../data/images/scan.js';
import { openDevice } from '../../platform/node/open-device.js';
import type { PredictionSource } from '../../predict/prediction-source.js';
import { requireFreeFile } from '../../predict/predictions.js';
import type { ViewSet } from '../../predict/views/views.js';
import { cacheFolder } from '../../storage/cache-folder.js';
import { ClipError } from '../../zeroshot/clip-error.js';
import { type EmbeddedImages, embedImages } from '../../zeroshot/embed-images.js';
import type { ImageTextModel } from '../../zeroshot/image-text-model.js';
import { openImageTextModel } from '../../zeroshot/open-image-text-model.js';
import { isScoreRecipe, readScoreRecipe, type ScoreRecipe } from '../../zeroshot/score-recipe.js';
import { addCacheOptions, type CacheFlags, pictureCache } from '../options/cache-option.js';
import { adapterOption, imagesOption } from '../options/common-options.js';
import { addHubOption, type HubFlags, hubOptions } from '../options/hub-option.js';
import { positiveNumber } from '../options/number-option.js';
import { ProgressLine } from '../training-display.js';

/** All that subcommands with a model share: their options, the model opened, images embedded. */
export interface ModelFlags extends HubFlags, CacheFlags {
  readonly images?: string;
  readonly tokenizer?: string;
  readonly imageSize?: number;
  /** Of a recipe only. */
  readonly window?: ScoreRecipe['window'];
  readonly tta?: ViewSet;
  readonly batchSize: number;
  readonly adapter?: string;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly force?: boolean;
}

export function modelCommand(program: Command, name: string, description: string): Command {
  const own = program
    .command(name)
    .description(description)
    .argument(
      '<model>',
      'a CLIP (a folder, a file of weights in it, or hf-hub:owner/name); a run of a projection head, or its checkpoint; or a ' +
        'recipe that names one (.yaml)',
    )
    .addOption(imagesOption())
    .option('--tokenizer <path>', 'folder or file of the tokenizer, where none lies beside the weights')
    .option(
      '--image-size <pixels>',
      'side of the images, a multiple of the patch; default: that of the training',
      positiveNumber,
    )
    .option('--batch-size <n>', 'images or texts at once; does not change the results', positiveNumber, 8)
    .addOption(adapterOption())
    .option('--strict', 'refuse, and write nothing, if any image cannot be used')
    .option('--lenient', 'use damaged images as far as they decode')
    .option('--force', 'replace the file in --out')
    .option('--quiet', 'print nothing but errors');
  return addCacheOptions(addHubOption(own));
}

/**
 * The model's path and the flags, with the settings of a recipe where the path is one of a recipe. Options that were given
 * on the command line win.
 * @throws RecipeError
 */
export async function withRecipe<Flags extends object>(
  path: string,
  flags: Flags,
  own: Command,
): Promise<{ readonly path: string; readonly flags: Flags }> {
  if (!isScoreRecipe(path)) return { path, flags };
  const { model, ...settings } = await readScoreRecipe(path);
  const asked = (name: string) => own.getOptionValueSource(name) === 'cli';
  const wanted = Object.entries(settings).filter(([name, value]) => value !== undefined && !asked(name));
  return { path: model, flags: { ...flags, ...Object.fromEntries(wanted) } };
}

/** A model at work. */
export interface OpenModel {
  readonly model: ImageTextModel;
  /** Embeds the images that can be read, with progress on the terminal. */
  embed(source: PredictionSource): Promise<EmbeddedImages>;
}

/** Opens the model, runs `work`, prints the text that it returns, and gives everything back. */
export async function withModel(
  path: string,
  flags: ModelFlags,
  work: (open: OpenModel) => Promise<string>,
): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const progress = new ProgressLine(flags.quiet ?? false);
  const device = await openDevice({ adapter: flags.adapter });
  try {
    const model = await openImageTextModel(device, path, {
      batchSize: flags.batchSize,
      imageSize: flags.imageSize,
      window: flags.window,
      hub: hubOptions(flags, progress),
      ...(flags.tokenizer !== undefined && { tokenizer: flags.tokenizer }),
    });
    progress.stop();
    for (const note of model.notes) say(note);
    const pictures = pictureCache(flags);
    const embed = async (source: PredictionSource) => {
      const embedded = await embedImages(model, source, {
        pictures,
        batchSize: flags.batchSize,
        tta: flags.tta,
        strict: flags.strict,
        lenient: flags.lenient,
        onRead: (done, total) => progress.show('reading', done, total, () => 'images'),
        onEmbedded: (done, total) => progress.show('embedding', done, total, () => 'images'),
      });
      progress.stop();
      return embedded;
    };
    say(await work({ model, embed }));
    await model.destroy();
  } finally {
    progress.stop();
    device.close();
  }
}

/** Which images were used, in words. */
export function describeImages({ all, quarantined, accepted }: EmbeddedImages): string {
  return describeQuarantine(quarantined, all.length, accepted);
}

/** Identifiers of the images that were embedded, in the order of their embeddings. */
export function embeddedNames({ all, readable }: EmbeddedImages): string[] {
  return Array.from(readable, (position) => all.row(position).image);
}

/** Of the embeddings of texts. */
export function textCache(): string {
  return join(cacheFolder(), 'text-embeddings');
}

/** @throws StorageError, ClipError where the file cannot be written */
export async function prepareOut(
  out: string,
  { force }: Pick<ModelFlags, 'force'>,
  option = '--out',
): Promise<void> {
  if (!force) await requireFreeFile(out, option);
  const found = await stat(out).catch(() => undefined);
  if (found?.isDirectory()) throw new ClipError(`${out}: is a folder; ${option} names a file.`);
}
