import type { Command } from 'commander';
import { openPredictionSource } from '../../predict/prediction-source.js';
import { writeAtomically } from '../../storage/atomic-file.js';
import { decimals } from '../../text/numbers.js';
import { embedTexts } from '../../zeroshot/embed-texts.js';
import { drawPictureSheet } from '../../zeroshot/picture-sheet.js';
import { searchImages } from '../../zeroshot/search-images.js';
import { positiveNumber } from '../options/number-option.js';
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

interface SearchFlags extends ModelFlags {
  readonly query: string;
  readonly top: number;
  readonly out: string;
}

export function addSearch(program: Command): void {
  modelCommand(program, 'search', 'find the images most like a text, and draw them')
    .argument('<data>', 'a CSV file that names images, or a folder of PNG and JPEG files')
    .requiredOption('--query <text>', 'what to look for')
    .option('--top <n>', 'how many images', positiveNumber, 20)
    .option('--out <file>', 'where to draw them', 'search.png')
    .action(search);
}

async function search(given: string, data: string, options: SearchFlags, own: Command): Promise<void> {
  const { path, flags } = await withRecipe(given, options, own);
  await prepareOut(flags.out, flags);
  await withModel(path, flags, async ({ model, embed }) => {
    const source = await openPredictionSource(data, { images: flags.images, classes: [] });
    const text = await embedTexts(model, [flags.query], textCache());
    const embedded = await embed(source);
    const names = embeddedNames(embedded);
    const found = searchImages(embedded.embeddings, text, flags.top);
    const pictures = found.map(({ position, cosine }, rank) => {
      const image = names[position] ?? '';
      return { image, cosine, caption: `${rank + 1}  ${decimals(cosine, 3)}  ${image}` };
    });
    await writeAtomically(flags.out, await drawPictureSheet(pictures, source.imageRoot, model.preprocessing));
    const lines = pictures.map(({ image, cosine }) => `${decimals(cosine, 4)}  ${image}`);
    return `${describeImages(embedded)}\n${lines.join('\n')}\npictures   ${flags.out}`;
  });
}
