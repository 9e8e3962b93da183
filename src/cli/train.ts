#!/usr/bin/env node
/** `train`: from a recipe and a label table to a checkpoint, with everything on the way in one run directory. */
import { Option } from 'commander';
import { describeQuarantine } from '../data/images/scan.js';
import { sampledFrequencies } from '../data/sampling/sampled-frequencies.js';
import { registeredLosses } from '../losses/registry.js';
import { openDevice } from '../platform/node/open-device.js';
import type { MacroScores } from '../predict/scores.js';
import { writeModelCard } from '../report/model-card.js';
import { cacheFolder } from '../storage/cache-folder.js';
import type { RunSummary } from '../train/run/finish-run.js';
import { providePhantoms } from '../train/run/phantom-source.js';
import { planRun } from '../train/run/run-plan.js';
import { planStages, type Stage } from '../train/run/stage-plan.js';
import { trainRun } from '../train/run/train-run.js';
import { type ExaminedPart, examineTrainingData, type TrainingData } from '../train/run/training-data.js';
import { fetchWeights } from '../weights/fetch-weights.js';
import { command, runCommand } from './command.js';
import { addHubOption, fetching, type HubFlags } from './hub-option.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';
import { addKernelOptions, type KernelFlags, kernelTuning } from './kernel-options.js';
import { positiveNumber, wholeNumber } from './number-option.js';
import { formatSampling } from './text/sampling-table.js';
import { ProgressLine, trainingDisplay } from './training-display.js';

interface TrainFlags extends KernelFlags, HubFlags {
  readonly recipe?: string;
  readonly data?: string;
  readonly images?: string;
  readonly weights?: string;
  readonly head?: 'keep' | 'reset';
  readonly out?: string;
  readonly set: string[];
  readonly seed?: number;
  readonly loss?: string;
  readonly memory?: string;
  readonly adapter?: string;
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly strict?: boolean;
  readonly stopAfter?: number;
}

const SIMULATED =
  '*** SIMULATED DATA: no --data was given, so the pictures are phantoms drawn by a program. ***\n' +
  '*** Such a model knows nothing of patients. Never for clinical use.                     ***';

const program = addHubOption(
  addKernelOptions(command('train', 'Train a chest X-ray classifier by a recipe.')),
)
  .option('--recipe <file>', 'what to train and how (YAML); see recipes/')
  .option('--data <path>', 'label table (CSV), or a folder with one; without it, phantoms are drawn')
  .option('--images <dir>', 'image folder (default: the folder of the table)')
  .option(
    '--weights <source>',
    'to start from: a safetensors or PyTorch file, or hf-hub:owner/name@revision:file (downloaded once)',
  )
  .addOption(
    new Option('--head <what>', 'the head in --weights: keep it, or reset to a fresh one').choices([
      'keep',
      'reset',
    ]),
  )
  .option('--out <dir>', 'run directory (default: runs/<recipe>-seed<seed>)')
  .option(
    '--set <key=value>',
    'change one setting of the recipe, e.g. loss.gammaNeg=4; repeatable',
    collect,
    [],
  )
  .option('--seed <n>', 'the same as --set seed=n', wholeNumber)
  .option(
    '--loss <name>',
    'the same as --set loss.name=…: a loss (see losses), or a file with one of your own',
  )
  .option('--memory <size>', 'what training may take on the GPU, e.g. 4GiB; recomputes values where it must')
  .option('--adapter <name>', 'GPU to use (default: TAILRAY_ADAPTER, else the best; see devices)')
  .option('--resume', 'go on with the run in --out where it was saved last')
  .option('--force', 'replace the run in --out')
  .option('--strict', 'refuse data with unreadable images instead of leaving those out')
  .option('--stop-after <steps>', 'save and stop after so many steps of this session', positiveNumber)
  .option('--quiet', 'print only the result')
  .addHelpText(
    'after',
    `\nLosses: ${registeredLosses()
      .map(({ name }) => name)
      .join(', ')}.\nThe command losses tells their parameters.`,
  )
  .action(train);

async function train(flags: TrainFlags): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const interrupt = new Interrupt(
    'Stopping: the step in hand is finished and saved. Once more to exit at once.',
  );
  try {
    const { recipe: planned, run, lossFile, notes } = await planRun(flags);
    say(`run        ${run.path}`);
    for (const note of notes) say(note);
    // a run that goes on has its weights
    const fetched = flags.resume ? null : await fetching(flags, (hub) => fetchWeights(planned, hub));
    for (const note of fetched?.notes ?? []) say(note);
    const recipe = fetched?.recipe ?? planned;
    const simulated = recipe.data.path === undefined;
    if (simulated) process.stderr.write(`${SIMULATED}\n`);
    const progress = new ProgressLine(flags.quiet ?? false);
    const path =
      recipe.data.path ??
      (await providePhantoms(recipe, {
        cache: cacheFolder(),
        onProgress: (done, total) => progress.show('drawing phantoms', done, total, () => 'images'),
      }));
    progress.stop();
    const data = await examineTrainingData(path, recipe, {
      strict: flags.strict ?? false,
      onProgress: (done, total) => progress.show('reading', done, total, () => 'images'),
    });
    progress.stop();
    for (const line of describeData(path, data)) say(line);
    for (const { recipe: own, sampler } of distinctSamplers(planStages(recipe, data))) {
      const sampled = sampledFrequencies(data.train.readable, sampler);
      for (const line of formatSampling(own.sampler, sampled)) say(line);
    }
    const device = await openDevice({ adapter: flags.adapter });
    say(`adapter    ${device.description}`);
    interrupt.protect();
    try {
      const summary = await trainRun({
        ...flags,
        device,
        recipe,
        data,
        run,
        lossFile,
        tuning: kernelTuning(device, flags),
        signal: interrupt.signal,
        explain: flags.explain !== undefined,
        observer: trainingDisplay({ recipe, quiet: flags.quiet ?? false, explain: flags.explain ?? 'top' }),
      });
      process.stdout.write(`${conclude(summary, run.path)}\n`);
      if (summary.status === 'finished') await writeModelCard(run.best, { force: true });
      if (simulated) process.stderr.write(`${SIMULATED}\n`);
    } finally {
      device.close();
    }
    if (interrupt.signal.aborted) process.exitCode = INTERRUPTED;
  } finally {
    interrupt.release();
  }
}

/** The first stage with each choice of images. */
function distinctSamplers(stages: readonly Stage[]): Stage[] {
  const choices = stages.map(({ recipe }) => JSON.stringify(recipe.sampler));
  return stages.filter((_, i) => choices.indexOf(choices[i] ?? '') === i);
}

function describeData(path: string, data: TrainingData): string[] {
  const part = ({ all, patients }: ExaminedPart) =>
    `${all.length} images${patients > 0 ? ` of ${patients} patients` : ''}`;
  const parts = [`train ${part(data.train)}`];
  if (data.validation) parts.push(`validation ${part(data.validation)}`);
  if (data.test) parts.push(`test ${part(data.test)}`);
  const examined = [data.train, data.validation, data.test].filter((each) => each !== null);
  const quarantined = examined.flatMap((each) => each.quarantined);
  const total = examined.reduce((sum, each) => sum + each.all.length, 0);
  return [
    ...data.notes.map((note) => `data       ${note}`),
    `data       ${path}: ${data.classes.length} classes; ${parts.join(', ')}.`,
    `images     ${describeQuarantine(quarantined, total)}`,
  ];
}

function conclude(summary: RunSummary, path: string): string {
  if (summary.status === 'stopped') {
    return `stopped after step ${summary.steps} and saved. Go on with: train --resume --out ${path}`;
  }
  const scores = (name: string, values: MacroScores | null) =>
    values === null
      ? []
      : [
          `${name.padEnd(10)} mAP ${text(values.mAP)} (guess ${text(values.prevalenceGuess)}), AUROC ${text(values.auroc)}`,
        ];
  const left = [...new Set(summary.leftOut.test.concat(summary.leftOut.validation).map(({ name }) => name))];
  return [
    `best       epoch ${summary.best?.epoch ?? '–'} of ${summary.epochs}`,
    ...scores('validation', summary.validation),
    ...scores('test', summary.test),
    ...(left.length > 0 ? [`left out   of some means: ${left.join(', ')} (why: ${path}/summary.json)`] : []),
    `written    ${path}: best.safetensors, predictions.csv, model-card.md, summary.json, metrics.jsonl, recipe.yaml, last/`,
  ].join('\n');
}

function text(value: number | null): string {
  return value === null ? '–' : value.toFixed(4);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

await runCommand(program);
