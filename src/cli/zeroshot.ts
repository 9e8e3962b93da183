#!/usr/bin/env node
/** `zeroshot`: what a CLIP says of images: embeddings, and the images most like a text. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describeQuarantine } from '../data/images/scan.js';
import { writeSafetensors } from '../models/safetensors/safetensors.js';
import { openDevice } from '../platform/node/open-device.js';
import { openPredictionSource } from '../predict/prediction-source.js';
import { requireFreeFile } from '../predict/predictions.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { readRegularText } from '../storage/regular-file.js';
import { decimals } from '../text/numbers.js';
import { type Clip, createClip } from '../zeroshot/clip.js';
import { ClipError } from '../zeroshot/clip-error.js';
import { clipPreprocessing, type EmbeddedImages, embedImages } from '../zeroshot/embed-images.js';
import { embedTexts } from '../zeroshot/embed-texts.js';
import { drawPictureSheet } from '../zeroshot/picture-sheet.js';
import { searchImages } from '../zeroshot/search-images.js';
import { command, runCommand } from './command.js';
import { adapterOption, imagesOption } from './common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './hub-option.js';
import { positiveNumber } from './number-option.js';
import { ProgressLine } from './training-display.js';

interface ClipFlags extends HubFlags {
  readonly images?: string;
  readonly tokenizer?: string;
  readonly batchSize: number;
  readonly adapter?: string;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly force?: boolean;
}

interface EmbedFlags extends ClipFlags {
  readonly out: string;
  readonly texts?: string;
}

interface SearchFlags extends ClipFlags {
  readonly query: string;
  readonly top: number;
  readonly out: string;
}

const program = command('zeroshot');

clipCommand('embed', 'write the embeddings of images, or of the lines of a text file, as safetensors')
  .argument('[data]', 'a CSV file that names images, or a folder of PNG and JPEG files')
  .option('--texts <file>', 'a text in each line, instead of images')
  .option('--out <file>', 'where to write', 'embeddings.safetensors')
  .action(embed);

clipCommand('search', 'find the images most like a text, and draw them')
  .argument('<data>', 'a CSV file that names images, or a folder of PNG and JPEG files')
  .requiredOption('--query <text>', 'what to look for')
  .option('--top <n>', 'how many images', positiveNumber, 20)
  .option('--out <file>', 'where to draw them', 'search.png')
  .action(search);

/** A subcommand with the options of all that run a CLIP. */
function clipCommand(name: string, description: string): Command {
  const own = program
    .command(name)
    .description(description)
    .argument(
      '<clip>',
      'a folder with config, weights and tokenizer; a file of weights beside them; or hf-hub:owner/name',
    )
    .addOption(imagesOption())
    .option('--tokenizer <path>', 'folder or file of the tokenizer, where none lies beside the weights')
    .option('--batch-size <n>', 'images or texts at once; does not change the results', positiveNumber, 8)
    .addOption(adapterOption())
    .option('--strict', 'refuse, and write nothing, if any image cannot be used')
    .option('--lenient', 'use damaged images as far as they decode')
    .option('--force', 'replace the file in --out')
    .option('--quiet', 'print nothing but errors');
  return addHubOption(own);
}

async function embed(model: string, data: string | undefined, flags: EmbedFlags): Promise<void> {
  if ((data === undefined) === (flags.texts === undefined)) {
    throw new ClipError('embed needs images or --texts, and not both.');
  }
  await prepareOut(flags);
  await withClip(model, flags, async (clip, progress) => {
    if (data === undefined) {
      const texts = (await readRegularText(flags.texts ?? '')).split(/\r?\n/).filter((line) => line !== '');
      const embeddings = await embedTexts(clip, texts, textCache());
      await write(flags.out, clip, embeddings, { texts: JSON.stringify(texts) });
      return `${texts.length} texts, ${clip.width} values each, in ${flags.out}`;
    }
    const { embedded } = await embeddedImages(clip, data, flags, progress);
    const names = Array.from(embedded.readable, (position) => embedded.all.row(position).image);
    await write(flags.out, clip, embedded.embeddings, { images: JSON.stringify(names) });
    return `${describeQuarantine(embedded.quarantined, embedded.all.length, embedded.accepted)}\n${names.length} images, ${clip.width} values each, in ${flags.out}`;
  });
}

async function search(model: string, data: string, flags: SearchFlags): Promise<void> {
  await prepareOut(flags);
  await withClip(model, flags, async (clip, progress) => {
    const { embedded, imageRoot } = await embeddedImages(clip, data, flags, progress);
    const text = await embedTexts(clip, [flags.query], textCache());
    const found = searchImages(embedded.embeddings, text, flags.top);
    const pictures = found.map(({ position, cosine }, rank) => {
      const { image } = embedded.all.row(embedded.readable[position] ?? 0);
      return { image, cosine, caption: `${rank + 1}  ${decimals(cosine, 3)}  ${image}` };
    });
    const sheet = await drawPictureSheet(pictures, imageRoot, clipPreprocessing(clip.config));
    await writeAtomically(flags.out, sheet);
    const lines = pictures.map(({ image, cosine }) => `${decimals(cosine, 4)}  ${image}`);
    return `${describeQuarantine(embedded.quarantined, embedded.all.length, embedded.accepted)}\n${lines.join('\n')}\npictures   ${flags.out}`;
  });
}

async function embeddedImages(
  clip: Clip,
  data: string,
  flags: ClipFlags,
  progress: ProgressLine,
): Promise<{ embedded: EmbeddedImages; imageRoot: string }> {
  const source = await openPredictionSource(data, { images: flags.images, classes: [] });
  const embedded = await embedImages(clip, source, {
    batchSize: flags.batchSize,
    strict: flags.strict,
    lenient: flags.lenient,
    onRead: (done, total) => progress.show('reading', done, total, () => 'images'),
    onEmbedded: (done, total) => progress.show('embedding', done, total, () => 'images'),
  });
  progress.stop();
  return { embedded, imageRoot: source.imageRoot };
}

/** Opens the CLIP, runs `work`, prints the text that it returns, and gives everything back. */
async function withClip(
  model: string,
  flags: ClipFlags,
  work: (clip: Clip, progress: ProgressLine) => Promise<string>,
): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const progress = new ProgressLine(flags.quiet ?? false);
  const device = await openDevice({ adapter: flags.adapter });
  try {
    const clip = await createClip(device, {
      weights: model,
      batchSize: flags.batchSize,
      hub: hubOptions(flags, progress),
      ...(flags.tokenizer !== undefined && { tokenizer: flags.tokenizer }),
    });
    progress.stop();
    for (const note of clip.notes) say(note);
    say(await work(clip, progress));
    await clip.destroy();
  } finally {
    progress.stop();
    device.close();
  }
}

function textCache(): string {
  return join(cacheFolder(), 'text-embeddings');
}

async function prepareOut({ out, force }: { readonly out: string; readonly force?: boolean }): Promise<void> {
  if (!force) await requireFreeFile(out);
  const folder = await stat(out).catch(() => undefined);
  if (folder?.isDirectory()) throw new ClipError(`${out}: is a folder; --out names a file.`);
}

async function write(
  out: string,
  clip: Clip,
  embeddings: Float32Array,
  metadata: Record<string, string>,
): Promise<void> {
  const shape = [embeddings.length / clip.width, clip.width];
  const tensor = { dtype: 'F32', shape, data: embeddings as Float32Array<ArrayBuffer> } as const;
  await writeAtomically(out, writeSafetensors(new Map([['embeddings', tensor]]), metadata));
}

await runCommand(program);
