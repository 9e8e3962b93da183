import type { Command } from 'commander';
import { openPredictionSource } from '../../predict/prediction-source.js';
import { readRegularText } from '../../storage/regular-file.js';
import { counted } from '../../text/numbers.js';
import { ClipError } from '../../zeroshot/clip-error.js';
import { embedTexts } from '../../zeroshot/embed-texts.js';
import { embeddingFiles, type NamedEmbeddings, writeEmbeddings } from '../../zeroshot/embedding-file.js';
import { ttaOption } from '../options/common-options.js';
import {
  describeImages,
  embeddedNames,
  type ModelFlags,
  modelCommand,
  prepareOut,
  textCache,
  withModel,
  withRecipe,
} from './with-model.js';

interface EmbedFlags extends ModelFlags {
  readonly out: string;
  readonly texts?: string;
}

export function addEmbed(program: Command): void {
  modelCommand(
    program,
    'embed',
    'write the embeddings of images, or of the lines of a text file, as safetensors or for NumPy',
  )
    .argument('[data]', 'a CSV file that names images, or a folder of PNG and JPEG files')
    .option('--texts <file>', 'a text in each line, instead of images')
    .addOption(ttaOption('average embeddings'))
    .option('--out <file>', 'safetensors; or .npy, and the names beside it in .txt', 'embeddings.safetensors')
    .action(embed);
}

async function embed(
  given: string,
  data: string | undefined,
  options: EmbedFlags,
  own: Command,
): Promise<void> {
  const { path, flags } = await withRecipe(given, options, own);
  if ((data === undefined) === (flags.texts === undefined)) {
    throw new ClipError('embed needs images or --texts, and not both.');
  }
  const files = embeddingFiles(flags.out);
  for (const file of files) await prepareOut(file, flags);
  await withModel(path, flags, async ({ model, embed }) => {
    const { width } = model;
    const write = async (
      kind: NamedEmbeddings['kind'],
      names: readonly string[],
      embeddings: Float32Array,
    ) => {
      await writeEmbeddings(flags.out, { kind, names, width, embeddings });
      return `${counted(names.length, kind.slice(0, -1))}, ${width} values each, in ${files.join(' and ')}`;
    };
    if (data === undefined) {
      const texts = await readLines(flags.texts ?? '');
      return write('texts', texts, await embedTexts(model, texts, textCache()));
    }
    const source = await openPredictionSource(data, { images: flags.images, classes: [] });
    const embedded = await embed(source);
    const said = await write('images', embeddedNames(embedded), embedded.embeddings);
    return `${describeImages(embedded)}\n${said}`;
  });
}

/** @throws ClipError where there is none */
async function readLines(path: string): Promise<string[]> {
  const text = await readRegularText(path);
  if (text.includes('\0'))
    throw new ClipError(`${path}: is no text file; --texts takes a text in each line.`);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new ClipError(`${path}: has no text; write one in each line.`);
  return lines;
}
