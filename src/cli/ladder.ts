#!/usr/bin/env node
/** `ladder`: what views, an ensemble and a gate gain or cost on validation, step by step. */
import type { Device } from '../engine/device.js';
import { openDevice } from '../platform/node/open-device.js';
import { ensemblePredictions, requireSameClasses } from '../predict/ensemble.js';
import type { PartName } from '../predict/evaluation-data.js';
import { gatePredictions, requireNormal } from '../predict/gate-predictions.js';
import { type LadderStep, measureLadder } from '../predict/ladder.js';
import { scoreLabelled } from '../predict/score-images.js';
import type { Merge } from '../predict/views/merge.js';
import type { TestTimeViews } from '../predict/views/view-scorer.js';
import type { ViewSet } from '../predict/views/views.js';
import { openValidation } from '../report/evaluation-subject.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { readCheckpoint } from '../weights/checkpoint.js';
import { command, runCommand } from './command.js';
import { addCacheOptions, type CacheFlags, pictureCache } from './options/cache-option.js';
import {
  adapterOption,
  batchSizeOption,
  imagesOption,
  normalClassOption,
  normalGateOption,
  partOption,
  requireWeights,
  resamplesOption,
  ttaMergeOption,
  ttaOption,
  weightsOption,
} from './options/common-options.js';
import { formatLadder } from './text/ladder-table.js';
import { ProgressLine } from './training-display.js';

interface LadderFlags extends CacheFlags {
  readonly data: string;
  readonly images?: string;
  readonly part?: PartName;
  readonly raw?: string;
  readonly tta: ViewSet;
  readonly ttaMerge: Merge;
  readonly weights?: readonly number[];
  readonly normalGate?: number;
  readonly normalClass: string;
  readonly resamples: number;
  readonly json?: string;
  readonly batchSize: number;
  readonly adapter?: string;
}

const program = command('ladder')
  .argument('<checkpoint...>', 'the single model first, then the others of the ensemble')
  .requiredOption('--data <path>', 'labelled table or folder, or a run directory: its validation part')
  .addOption(imagesOption())
  .addOption(partOption('validation if there is one'))
  .option('--raw <file>', 'a checkpoint of the single model before its weights were averaged: one step more')
  .addOption(ttaOption('merge scores').default('flip-scale'))
  .addOption(ttaMergeOption())
  .addOption(weightsOption())
  .addOption(normalGateOption())
  .addOption(normalClassOption())
  .addOption(resamplesOption().default(1000))
  .option('--json <file>', 'write everything as JSON, too')
  .addOption(batchSizeOption())
  .addOption(adapterOption())
  .action(ladder);
addCacheOptions(program);

async function ladder(paths: readonly string[], flags: LadderFlags): Promise<void> {
  const { data, images, part, raw, resamples, json, normalGate } = flags;
  requireWeights(flags.weights, paths.length);
  const [first = ''] = paths;
  const kinds: { name: string; classes: readonly string[] }[] = [];
  for (const path of raw === undefined ? paths : [...paths, raw]) {
    kinds.push({ name: path, classes: (await readCheckpoint(path)).classes });
  }
  requireSameClasses(kinds);
  const classes = kinds[0]?.classes ?? [];
  if (normalGate !== undefined) requireNormal(classes, flags.normalClass);
  const labels = await openValidation({ data, images, part, classes, cache: cacheFolder() });
  const progress = new ProgressLine(false);
  const pictures = pictureCache(flags);
  let device: Device | undefined;
  const open = async () => {
    device ??= await openDevice({ adapter: flags.adapter });
    return device;
  };
  try {
    const steps = await climb(paths, flags, async (path, views) =>
      scoreLabelled(open, labels, {
        checkpoint: await readCheckpoint(path),
        path,
        pictures,
        views,
        batchSize: flags.batchSize,
        onRead: (done, total) => progress.show('reading', done, total, () => 'images'),
        onScored: (done, total) => progress.show('scoring', done, total, () => path),
      }),
    );
    progress.stop();
    const measured = measureLadder(steps, labels.parts, { resamples });
    process.stdout.write(`${first}, part: ${labels.part}\n${formatLadder(measured)}\n`);
    if (json !== undefined) {
      await writeAtomically(json, `${JSON.stringify({ part: labels.part, ...measured }, null, 2)}\n`);
    }
  } finally {
    progress.stop();
    device?.close();
  }
}

type Score = (path: string, views?: TestTimeViews) => Promise<LadderStep['predictions']>;

/** Single → averaged weights → views → ensemble → gate; a step that is not asked for is not there. */
async function climb(
  paths: readonly string[],
  { raw, tta, ttaMerge, weights, normalGate, normalClass }: LadderFlags,
  score: Score,
): Promise<LadderStep[]> {
  const [first = '', ...others] = paths;
  const steps: LadderStep[] = [];
  if (raw !== undefined)
    steps.push({ name: 'single, weights of the last step', predictions: await score(raw) });
  const single = await score(first);
  steps.push({ name: raw === undefined ? 'single' : 'averaged weights', predictions: single });
  let views: TestTimeViews | undefined;
  let viewed = single;
  if (tta !== 'none') {
    views = { set: tta, merge: ttaMerge };
    viewed = await score(first, views);
    steps.push({ name: `views: ${tta}, ${ttaMerge}`, predictions: viewed });
  }
  let last = viewed;
  if (others.length > 0) {
    const members = [{ name: first, predictions: viewed, weight: weights?.[0] ?? 1 }];
    for (const [i, path] of others.entries()) {
      members.push({ name: path, predictions: await score(path, views), weight: weights?.[i + 1] ?? 1 });
    }
    last = ensemblePredictions(members);
    steps.push({ name: `ensemble of ${members.length}`, predictions: last });
  }
  if (normalGate !== undefined) {
    const gate = { alpha: normalGate, normal: normalClass };
    steps.push({ name: `gate: ${normalClass}, ${normalGate}`, predictions: gatePredictions(last, gate) });
  }
  return steps;
}

await runCommand(program);
