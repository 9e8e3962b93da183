#!/usr/bin/env node
/** `inspect`: what should be known of a data set before a model is trained on it. */
import { drawAugmentSheet } from '../inspect/augment-sheet.js';
import { inspectData } from '../inspect/inspect-data.js';
import { formatInspection } from '../inspect/inspection-text.js';
import { writeInspectionPage } from '../inspect/page/page.js';
import { openDevice } from '../platform/node/open-device.js';
import { formatRecipe, parseRecipe, resolveRecipe } from '../recipe/recipe.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { finalRecipe, recipeOfStage } from '../recipe/recipe-stages.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { command, runCommand } from './command.js';
import { adapterOption, imagesOption, setOption } from './options/common-options.js';
import { ProgressLine } from './training-display.js';

interface InspectFlags {
  readonly images?: string;
  readonly recipe?: string;
  readonly stage?: string;
  readonly set: string[];
  readonly sampler?: string;
  readonly lenient?: boolean;
  readonly html?: string;
  readonly augment?: string;
  readonly adapter?: string;
  readonly json?: boolean;
  readonly pictures: boolean;
  readonly showIds?: boolean;
}

const program = command('inspect')
  .argument('<data>', 'label table (CSV, gzip too, or MedMNIST’s .npz), or a folder with one')
  .addOption(imagesOption())
  .option('--recipe <file>', 'split, classes, image size and sampler as this recipe has them')
  .option(
    '--stage <stage>',
    'name or number of the recipe’s stage whose settings are meant (default: the last)',
  )
  .addOption(setOption('the recipe', 'data.testFraction=0.2'))
  .option('--sampler <name>', 'show what this sampler does to the classes and their pairs')
  .option('--lenient', 'look at damaged pictures as far as they decode')
  .option('--html <file>', 'write it all as one page, with pictures')
  .option('--augment <file>', 'draw pictures before and after each change of the augmentation, as a PNG')
  .addOption(adapterOption('GPU that draws them'))
  .option('--json', 'print facts and findings as JSON')
  .option('--show-ids', 'name patients by their identifiers instead of counting them')
  .option('--no-pictures', 'look at the labels only')
  .action(inspect);

async function inspect(data: string, flags: InspectFlags): Promise<void> {
  const recipe = await recipeOf(flags);
  if (flags.augment !== undefined) {
    const device = await openDevice({ adapter: flags.adapter });
    await writeAtomically(flags.augment, await drawAugmentSheet(device, data, recipe));
  }
  const progress = new ProgressLine(flags.json ?? false);
  const inspection = await inspectData(data, recipe, {
    pictures: flags.pictures,
    showIds: flags.showIds,
    onProgress: (done, total) => progress.show('looking', done, total, () => 'images'),
  });
  progress.stop();
  if (flags.json) process.stdout.write(`${JSON.stringify(inspection, plainArrays, 2)}\n`);
  else process.stdout.write(`${formatInspection(inspection)}\n`);
  if (flags.html !== undefined) await writeInspectionPage(flags.html, inspection, recipe);
  const written = [flags.html, flags.augment].flatMap((file) => file ?? []);
  if (flags.json || written.length === 0) return;
  process.stdout.write(`\n${written.map((file) => `written    ${file}`).join('\n')}\n`);
}

async function recipeOf({ recipe, stage, set, sampler, images, lenient }: InspectFlags): Promise<Recipe> {
  const flags = [
    ...(images === undefined ? [] : [`data.images=${JSON.stringify(images)}`]),
    ...(lenient ? ['data.lenient=true'] : []),
    ...(sampler === undefined ? [] : [`sampler=${JSON.stringify({ name: sampler })}`]),
  ];
  const whole =
    recipe === undefined
      ? parseRecipe('', { path: 'no recipe', overrides: set })
      : (await resolveRecipe(recipe, set)).recipe;
  const own = stage === undefined ? finalRecipe(whole) : recipeOfStage(whole, stage);
  // these count for whatever stage is meant
  return parseRecipe(formatRecipe(own), { path: recipe ?? 'no recipe', overrides: flags });
}

/** Typed arrays as lists of numbers. */
function plainArrays(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value;
}

await runCommand(program);
