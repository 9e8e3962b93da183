import type { Command } from 'commander';
import { writeSafetensors } from '../../models/safetensors/safetensors.js';
import { openPredictionSource } from '../../predict/prediction-source.js';
import { writeAtomically } from '../../storage/atomic-file.js';
import { readRegularText } from '../../storage/regular-file.js';
import { ClipError } from '../../zeroshot/clip-error.js';
import { embedTexts } from '../../zeroshot/embed-texts.js';
import { ttaOption } from '../common-options.js';
import {
  describeImages,
  embeddedNames,
  type ModelFlags,
  modelCommand,
  prepareOut,
  textCache,
  withModel,
} from './with-model.js';

interface EmbedFlags extends ModelFlags {
  readonly out: string;
  readonly texts?: string;
}

export function addEmbed(program: Command): void {
  modelCommand(
    program,
    'embed',
    'write the embeddings of images, or of the lines of a text file, as safetensors',
  )
    .argument('[data]', 'a CSV file that names images, or a folder of PNG and JPEG files')
    .option('--texts <file>', 'a text in each line, instead of images')
    .addOption(ttaOption('embeddings'))
    .option('--out <file>', 'where to write', 'embeddings.safetensors')
    .action(embed);
}

async function embed(path: string, data: string | undefined, flags: EmbedFlags): Promise<void> {
  if ((data === undefined) === (flags.texts === undefined)) {
    throw new ClipError('embed needs images or --texts, and not both.');
  }
  const { out } = flags;
  await prepareOut(out, flags);
  await withModel(path, flags, async ({ model, embed }) => {
    const { width } = model;
    if (data === undefined) {
      const texts = (await readRegularText(flags.texts ?? '')).split(/\r?\n/).filter((line) => line !== '');
      const embeddings = await embedTexts(model, texts, textCache());
      await write(out, width, embeddings, { texts: JSON.stringify(texts) });
      return `${texts.length} texts, ${width} values each, in ${out}`;
    }
    const source = await openPredictionSource(data, { images: flags.images, classes: [] });
    const embedded = await embed(source);
    const names = embeddedNames(embedded);
    await write(out, width, embedded.embeddings, { images: JSON.stringify(names) });
    return `${describeImages(embedded)}\n${names.length} images, ${width} values each, in ${out}`;
  });
}

async function write(
  out: string,
  width: number,
  embeddings: Float32Array,
  metadata: Record<string, string>,
): Promise<void> {
  const shape = [embeddings.length / width, width];
  const tensor = { dtype: 'F32', shape, data: embeddings as Float32Array<ArrayBuffer> } as const;
  await writeAtomically(out, writeSafetensors(new Map([['embeddings', tensor]]), metadata));
}
