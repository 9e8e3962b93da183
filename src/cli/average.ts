#!/usr/bin/env node
/** `average`: one checkpoint with the mean of several checkpoints' weights, of all or of those that help on validation. */
import type { Device } from '../engine/device.js';
import { openDevice } from '../platform/node/open-device.js';
import type { PartName } from '../predict/evaluation-data.js';
import { EvaluationError, joinLabels } from '../predict/labelled-scores.js';
import { requireFreeFile } from '../predict/predictions.js';
import { scoreLabelled } from '../predict/score-images.js';
import { macroScores, scoreDataset } from '../predict/scores.js';
import { openValidation } from '../report/evaluation-subject.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { decimals } from '../text/numbers.js';
import { paddedTable } from '../text/padded-table.js';
import { averageCheckpoints, hasRunningStatistics } from '../weights/average-checkpoints.js';
import { readCheckpoint, writeCheckpoint } from '../weights/checkpoint.js';
import { type GreedySoup, greedySoup } from '../weights/greedy-soup.js';
import { command, runCommand } from './command.js';
import { addCacheOptions, type CacheFlags, pictureCache } from './options/cache-option.js';
import { adapterOption, batchSizeOption, imagesOption, partOption } from './options/common-options.js';
import { ProgressLine } from './training-display.js';

interface AverageFlags extends CacheFlags {
  readonly out: string;
  readonly greedy?: string;
  readonly images?: string;
  readonly part?: PartName;
  readonly batchSize: number;
  readonly adapter?: string;
  readonly force?: boolean;
}

const program = command('average')
  .argument('<checkpoint...>', 'checkpoints of one architecture with the same classes and preprocessing')
  .requiredOption('--out <file>', 'where to write the mean')
  .option(
    '--greedy <data>',
    'keep only files that raise mAP on this labelled table, folder, or run directory (greedy soup)',
  )
  .addOption(imagesOption())
  .addOption(partOption('validation if there is one'))
  .addOption(batchSizeOption())
  .addOption(adapterOption())
  .option('--force', 'replace the file in --out')
  .action(average);
addCacheOptions(program);

async function average(paths: readonly string[], flags: AverageFlags): Promise<void> {
  const { out, greedy } = flags;
  const say = (text: string) => process.stdout.write(`${text}\n`);
  if (!flags.force) await requireFreeFile(out);
  // differences among files are found before images are scored
  const mean = await averageCheckpoints(paths);
  const soup =
    greedy === undefined ? undefined : await selectFiles(paths, mean.classes, { ...flags, greedy });
  if (soup) say(describeSoup(soup));
  const chosen =
    soup === undefined
      ? mean
      : { ...(await averageCheckpoints(soup.kept)), metrics: { mAP: soup.score, auroc: null } };
  await writeCheckpoint(out, chosen);
  if (hasRunningStatistics(chosen)) {
    say('note: running statistics of batch norm are averaged, not measured anew on images.');
  }
  say(`mean of ${chosen.averaged?.length} of ${paths.length} checkpoints in ${out}`);
}

/** @throws EvaluationError where the data say nothing of any class */
async function selectFiles(
  paths: readonly string[],
  classes: readonly string[],
  { greedy: data, images, part, batchSize, adapter, ...own }: AverageFlags & { readonly greedy: string },
): Promise<GreedySoup> {
  const pictures = pictureCache(own);
  const labels = await openValidation({ data, images, part, classes, cache: cacheFolder() });
  const progress = new ProgressLine(false);
  let device: Device | undefined;
  const open = async () => {
    device ??= await openDevice({ adapter });
    return device;
  };
  try {
    return await greedySoup(paths, async (files) => {
      const checkpoint =
        files.length === 1 ? await readCheckpoint(files[0] ?? '') : await averageCheckpoints(files);
      const predictions = await scoreLabelled(open, labels, {
        checkpoint,
        path: files.join(' + '),
        pictures,
        batchSize,
        onScored: (done, total) => progress.show('scoring', done, total, () => `mean of ${files.length}`),
      });
      const { scores, targets, n } = joinLabels(predictions, labels.parts);
      const { mAP } = macroScores(scoreDataset(scores, targets, classes));
      if (n > 0 && mAP !== null) return mAP;
      throw new EvaluationError(
        `${data}: no class has a positive label in the ${labels.part} part: there is no mAP.`,
      );
    });
  } finally {
    progress.stop();
    device?.close();
  }
}

function describeSoup({ tried, score }: GreedySoup): string {
  const rows = tried.map(({ path, alone, together, kept }) => [
    path,
    decimals(alone, 4),
    decimals(together, 4),
    kept ? 'kept' : 'left out',
  ]);
  const table = paddedTable([['checkpoint', 'mAP alone', 'mAP with it', ''], ...rows], {
    right: (column) => column === 1 || column === 2,
  });
  return `${table.join('\n')}\nmAP of the mean ${decimals(score, 4)}, on images that chose it: measure it on others.`;
}

await runCommand(program);
