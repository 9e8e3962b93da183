#!/usr/bin/env node
/** `models`: the architectures that there are and what each costs, for choosing one. */
import { Option } from 'commander';
import type { Device, PlanTarget } from '../engine/device.js';
import { AdapterError, ShapeError } from '../engine/errors.js';
import { ModelError } from '../models/model-error.js';
import { assumedGpu } from '../platform/assumed-gpu.js';
import { openDevice } from '../platform/node/open-device.js';
import { parseRecipe } from '../recipe/recipe.js';
import { parseYaml } from '../recipe/yaml-text.js';
import { matchArchitectures, type SurveyedModel, surveyModel } from '../train/step/model-survey.js';
import { command, runCommand } from './command.js';
import { adapterOption, OldSpelling } from './options/common-options.js';
import { byteSize, positiveNumber } from './options/number-option.js';
import { formatModels } from './text/model-table.js';
import { ProgressLine } from './training-display.js';

interface ModelsFlags {
  readonly size: number;
  readonly batchSize: number;
  readonly classes: number;
  readonly channels: number;
  readonly head: string;
  readonly precision: string;
  readonly adapter?: string;
  readonly memory: boolean;
  readonly assumeGpu?: number;
  readonly recompute?: boolean;
  readonly run?: boolean;
  readonly json?: boolean;
}

async function models(words: readonly string[], flags: ModelsFlags): Promise<void> {
  const chosen = matchArchitectures(words);
  const recipe = parseRecipe('', {
    path: 'models',
    overrides: [
      `model.imageSize=${flags.size}`,
      `model.head=${JSON.stringify(parseYaml(flags.head, `--head ${flags.head}`).value)}`,
      `preprocessing.channels=${flags.channels}`,
      `batchSize=${flags.batchSize}`,
      `precision=${flags.precision}`,
    ],
  });
  const { target, device, reason } = await planningTarget(flags);
  const progress = new ProgressLine(flags.json === true || !process.stderr.isTTY);
  const surveyed: SurveyedModel[] = [];
  try {
    for (const arch of chosen) {
      progress.show(flags.run ? 'running' : 'planning', surveyed.length, chosen.length, () => arch);
      try {
        surveyed.push(
          await surveyModel(arch, {
            recipe,
            classes: flags.classes,
            target,
            recompute: flags.recompute,
            run: flags.run ? device : undefined,
          }),
        );
      } catch (error) {
        const unfit = error instanceof ModelError || error instanceof ShapeError;
        // One that was asked for by name is missed; of all there are, some need images of other sizes.
        if (words.length > 0 || !unfit) throw error;
        progress.stop();
        process.stderr.write(`left out   ${arch}: ${error.message}\n`);
      }
    }
  } finally {
    progress.stop();
    device?.close();
  }
  const { size } = recipe.preprocessing;
  const { batchSize } = recipe;
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ size, batchSize, adapter: target?.description ?? null, models: surveyed }, null, 2)}\n`
      : `${formatModels(surveyed, { size, batchSize, withoutMemory: reason, adapter: target?.description })}\n`,
  );
}

/** What is known without an adapter is worth showing. To run a model, there must be one. */
async function planningTarget({
  adapter,
  memory,
  assumeGpu,
  run,
}: ModelsFlags): Promise<{ target?: PlanTarget; device?: Device; reason?: string }> {
  if (!memory && !run) return { reason: '--no-memory was given.' };
  if (assumeGpu !== undefined && !run) return { target: assumedGpu(assumeGpu) };
  try {
    const device = await openDevice({ adapter });
    return { target: device, device };
  } catch (error) {
    if (run || !(error instanceof AdapterError)) throw error;
    return { reason: error.message };
  }
}

const batchSize = new Option('--batch-size <n>', 'images of a training step')
  .argParser(positiveNumber)
  .default(32);

await runCommand(
  command('models')
    .argument('[names...]', 'only those whose names contain one of these, e.g. convnextv2, or match resnet*d')
    .option('--size <pixels>', 'side of the images', positiveNumber, 224)
    .addOption(batchSize)
    .addOption(new OldSpelling('--batch <n>', batchSize))
    .option('--classes <n>', 'outputs', positiveNumber, 1000)
    .option('--channels <n>', 'of an image: 1 or 3', positiveNumber, 3)
    .option('--head <head>', 'as model.head in a recipe, e.g. csra or "{name: csra, lambda: 0.2}"', 'linear')
    .addOption(new Option('--precision <type>', 'as in a recipe').choices(['f32', 'f16']).default('f32'))
    .addOption(adapterOption('GPU to plan for'))
    .addOption(
      new Option(
        '--assume-gpu <binding>',
        'plan for a GPU that is not here, with f16 and this largest binding, such as 2GiB',
      )
        .argParser(byteSize)
        .conflicts(['run', 'adapter']),
    )
    .option(
      '--recompute',
      'also plan the least memory, with values computed twice instead of kept; minutes for a large network',
    )
    .option('--no-memory', 'leave out the memory of training; needs no adapter')
    .option('--run', 'also score a batch of noise and train on it, and time both')
    .option('--json', 'print everything as JSON')
    .action(models),
);
