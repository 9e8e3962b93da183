import { type Command, InvalidArgumentError, Option } from 'commander';
import { OUT_OF_DISTRIBUTION } from '../../data/tables/findings.js';
import { type PartName, readEvaluationData } from '../../predict/evaluation-data.js';
import { readPredictions } from '../../predict/predictions.js';
import { counted, decimals } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';
import { evaluateSeenAndUnseen } from '../../zeroshot/evaluate-predictions.js';
import { generalisedRows, stackingRows } from '../../zeroshot/generalised-table.js';
import { resamplesOption } from '../options/common-options.js';
import { positiveNumber } from '../options/number-option.js';
import { nameList } from './prompt-options.js';

interface EvaluateFlags {
  readonly unseen: readonly string[];
  readonly part?: PartName;
  readonly top: number;
  readonly gamma?: number;
  readonly resamples: number;
}

export function addEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('measure predictions of seen and unseen findings: each kind, all, and their harmonic mean')
    .argument('<predictions>', 'a predictions.csv with columns of both kinds')
    .argument('<labels>', 'a table or folder with labels of both kinds')
    .option('--unseen <names>', 'findings that nobody labelled in training, with commas between', nameList, [
      ...OUT_OF_DISTRIBUTION,
    ])
    .addOption(
      new Option('--part <name>', 'part of the data (default: test if there is one)').choices([
        'train',
        'validation',
        'test',
        'all',
      ]),
    )
    .option(
      '--top <k>',
      'a finding counts as found among the k highest scores of its image',
      positiveNumber,
      3,
    )
    .option(
      '--gamma <number>',
      'a constant to take off the scores of seen findings, chosen on other labels',
      finiteNumber,
    )
    .addOption(resamplesOption().default(1000))
    .action(evaluate);
}

async function evaluate(path: string, labels: string, flags: EvaluateFlags): Promise<void> {
  const { unseen, part, top: k, gamma, resamples } = flags;
  const predictions = await readPredictions(path);
  const data = await readEvaluationData(labels, {}, part);
  const result = evaluateSeenAndUnseen(predictions, data.parts, { unseen, k, gamma, resamples });
  const { metrics, stacking, given, seen, leftOut, images, unreadable } = result;
  const right = (column: number) => column > 0;
  const said = [
    `${path}, part: ${data.part}, ${counted(images, 'image')}`,
    ...(unreadable.length > 0 ? [`left out   ${counted(unreadable.length, 'image')} without scores`] : []),
    ...leftOut.map((name) => `left out   ${name}: no labels`),
    '',
    ...paddedTable(generalisedRows(metrics, { seen: seen.length, unseen: unseen.length })),
    '',
    'Calibrated stacking takes a constant γ off the scores of all seen findings. Within a finding, images keep their',
    'order: mAP and AUROC stay as above, for every γ. Which findings stand first within an image changes:',
    '',
    ...paddedTable(stackingRows(stacking, { k, given }), { right }),
    `area under unseen over seen, over all γ: ${decimals(stacking.area)}`,
    '',
    'The best γ is read off these labels, unseen ones among them. A fair γ comes from held-out seen findings (--gamma).',
  ];
  process.stdout.write(`${said.join('\n')}\n`);
}

function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}
