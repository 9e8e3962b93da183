#!/usr/bin/env node
/** `import`: a checkpoint of weights that were trained elsewhere, with classes and preprocessing from a recipe. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { requireFreeFile } from '../predict/predictions.js';
import { resolveRecipe } from '../recipe/recipe.js';
import { importWeights } from '../train/import-weights.js';
import { writeCheckpoint } from '../weights/checkpoint.js';
import { command, runCommand } from './command.js';
import { setOption } from './options/common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './options/hub-option.js';
import { ProgressLine } from './training-display.js';

interface ImportFlags extends HubFlags {
  readonly recipe: string;
  readonly set: readonly string[];
  readonly out: string;
  readonly force?: boolean;
}

const program = command('import')
  .argument('<weights>', 'a safetensors or PyTorch file, or hf-hub:owner/name@revision:file')
  .requiredOption(
    '--recipe <file>',
    'says what the file does not: model, data.classes in the order of the outputs, preprocessing',
  )
  .addOption(setOption('the recipe', 'model.head=linear'))
  .requiredOption('--out <file>', 'where to write the checkpoint (.safetensors)')
  .option('--force', 'replace the file in --out')
  .action(importFile);

async function importFile(weights: string, flags: ImportFlags): Promise<void> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const { recipe } = await resolveRecipe(flags.recipe, flags.set);
  if (!flags.force) await requireFreeFile(flags.out);
  const progress = new ProgressLine(false);
  const hub = hubOptions(flags, progress);
  const { checkpoint, notes } = await importWeights(weights, recipe, hub).finally(() => progress.stop());
  for (const note of notes) say(note);
  await mkdir(dirname(flags.out), { recursive: true });
  await writeCheckpoint(flags.out, checkpoint);
  const { model, classes, preprocessing } = checkpoint;
  say(
    `written    ${flags.out}: ${model.arch} for ${classes.length} classes, images of ${preprocessing.size.join(' × ')}; ` +
      'for predict, evaluate, ladder, average and export',
  );
}

await runCommand(addHubOption(program));
