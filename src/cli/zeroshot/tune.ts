import { dirname } from 'node:path';
import type { Command } from 'commander';
import { OUT_OF_DISTRIBUTION } from '../../data/tables/findings.js';
import { readTable } from '../../data/tables/table.js';
import { counted } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';
import type { EmbeddedImages } from '../../zeroshot/embed-images.js';
import { embedTexts } from '../../zeroshot/embed-texts.js';
import { readPrompts } from '../../zeroshot/prompts.js';
import { proxyUnseenRows } from '../../zeroshot/proxy-table.js';
import { proxyUnseen } from '../../zeroshot/proxy-unseen.js';
import { embedPrompts, type TextEmbeddings } from '../../zeroshot/scoring/text-embeddings.js';
import { ttaOption } from '../common-options.js';
import { nonNegativeNumber, positiveNumber } from '../number-option.js';
import { nameList, promptsOption } from './prompt-options.js';
import { describeImages, type ModelFlags, modelCommand, textCache, withModel } from './with-model.js';

interface TuneFlags extends ModelFlags {
  readonly prompts: string;
  readonly unseen: readonly string[];
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
    .addOption(ttaOption('embeddings'))
    .option('--unseen <names>', 'findings that nobody labelled, with commas between', nameList, [
      ...OUT_OF_DISTRIBUTION,
    ])
    .option('--resamples <n>', 'bootstrap draws of patients behind each interval', positiveNumber, 1000)
    .option('--seed <n>', 'of the draws and of the held-out groups', nonNegativeNumber, 0)
    .action(tune);
}

async function tune(path: string, data: string, flags: TuneFlags): Promise<void> {
  const table = await readTable(data);
  const prompts = await readPrompts(flags.prompts, { wanted: flags.unseen });
  await withModel(path, flags, async ({ model, embed }) => {
    const texts = await embedPrompts(prompts, model.width, (given) => embedTexts(model, given, textCache()));
    const embedded = await embed({ table, imageRoot: flags.images ?? dirname(data) });
    const result = judge(embedded, texts, flags);
    return [
      describeImages(embedded),
      `held out   ${result.classes.join(', ')}; in ${counted(result.folds.length, 'group')}`,
      ...result.leftOut.map(({ name, reason }) => `left out   ${name}: ${reason}`),
      ...paddedTable(proxyUnseenRows(result)),
      `chosen     ${result.chosen}: the plainest that is not shown to be worse than the best`,
    ].join('\n');
  });
}

function judge({ all, readable, embeddings }: EmbeddedImages, texts: TextEmbeddings, flags: TuneFlags) {
  const part = all.subset(readable);
  const labels = new Float32Array(part.length * part.classes.length);
  for (let i = 0; i < part.length; i++) labels.set(part.labels(i), i * part.classes.length);
  return proxyUnseen({
    images: embeddings,
    texts,
    labels,
    labelClasses: part.classes,
    unseen: flags.unseen,
    patients: Array.from({ length: part.length }, (_, i) => part.row(i).patient),
    resamples: flags.resamples,
    seed: flags.seed,
  });
}
