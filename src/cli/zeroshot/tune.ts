import { dirname } from 'node:path';
import type { Command } from 'commander';
import { FINDINGS } from '../../data/tables/findings.js';
import { readTable } from '../../data/tables/table.js';
import { datasetTargets } from '../../predict/predict.js';
import { readPredictions } from '../../predict/predictions.js';
import { counted } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';
import { embedTexts } from '../../zeroshot/embed-texts.js';
import { readPrompts } from '../../zeroshot/prompts.js';
import { proxyUnseenRows } from '../../zeroshot/proxy-table.js';
import { proxyUnseen, refuseUnseen } from '../../zeroshot/proxy-unseen.js';
import { requireSeenRows, seenScores } from '../../zeroshot/scoring/seen-scores.js';
import { embedPrompts } from '../../zeroshot/scoring/text-embeddings.js';
import { ttaOption } from '../options/common-options.js';
import { nonNegativeNumber, positiveNumber } from '../options/number-option.js';
import { nameList, promptsFor, promptsOption, seenOption, unseenFor } from './prompt-options.js';
import {
  describeImages,
  embeddedNames,
  type ModelFlags,
  modelCommand,
  textCache,
  withModel,
  withRecipe,
} from './with-model.js';

interface TuneFlags extends ModelFlags {
  readonly prompts?: string;
  readonly unseen?: readonly string[];
  readonly seen?: string;
  readonly resamples: number;
  readonly seed: number;
}

export function addTune(program: Command): void {
  modelCommand(
    program,
    'tune',
    'choose the rules on seen findings, held out in turn as if nobody had labelled them',
  )
    .argument('<table>', 'a CSV file with labels of seen findings, and none of unseen ones')
    .addOption(promptsOption())
    .addOption(ttaOption('average embeddings'))
    .option(
      '--unseen <names>',
      "findings that nobody labelled, with commas between; default: those that the model's run declares unseen, else the challenge's",
      nameList,
    )
    .addOption(seenOption())
    .option('--resamples <n>', 'bootstrap draws of patients behind each interval', positiveNumber, 1000)
    .option('--seed <n>', 'of the draws and of the held-out groups', nonNegativeNumber, 0)
    .action(tune);
}

async function tune(given: string, data: string, options: TuneFlags, own: Command): Promise<void> {
  const { path, flags } = await withRecipe(given, options, own);
  const table = await readTable(data);
  const seen =
    flags.seen === undefined
      ? undefined
      : { predictions: await readPredictions(flags.seen), path: flags.seen };
  if (seen) {
    requireSeenRows(
      seen,
      table.rows.map(({ image }) => image),
    );
  }
  const promptsOf = (unseen: readonly string[]) => ({
    wanted: unseen,
    known: [...new Set([...FINDINGS, ...table.classes, ...unseen])],
  });
  const refuse = (unseen: readonly string[]) =>
    refuseUnseen({ unseen, labelClasses: table.classes, seen: seen?.predictions });
  // so that a mistake costs no time of the model
  if (flags.unseen !== undefined) refuse(flags.unseen);
  if (flags.prompts !== undefined) await readPrompts(flags.prompts, promptsOf(flags.unseen ?? []));
  await withModel(path, flags, async ({ model, embed }) => {
    const unseen = flags.unseen ?? unseenFor(model);
    refuse(unseen);
    const prompts = await promptsFor(model, flags.prompts, promptsOf(unseen));
    const texts = await embedPrompts(prompts, model.width, (wanted) =>
      embedTexts(model, wanted, textCache()),
    );
    const embedded = await embed({ table, imageRoot: flags.images ?? dirname(data) });
    const part = embedded.all.subset(embedded.readable);
    const result = proxyUnseen({
      images: embedded.embeddings,
      texts,
      labels: datasetTargets(part),
      labelClasses: part.classes,
      unseen,
      trained: model.training?.classes ?? [],
      seen: seen && seenScores(seen, embeddedNames(embedded)),
      patients: Array.from({ length: part.length }, (_, i) => part.row(i).patient),
      resamples: flags.resamples,
      seed: flags.seed,
    });
    return [
      describeImages(embedded),
      `held out   ${result.classes.join(', ')}; in ${counted(result.folds.length, 'group')}`,
      ...result.leftOut.map(({ name, reason }) => `left out   ${name}: ${reason}`),
      ...paddedTable(proxyUnseenRows(result)),
      `chosen     ${result.chosen}: the plainest that is not shown to be worse than the best`,
    ].join('\n');
  });
}
