#!/usr/bin/env node
/** `train`: from a recipe and a label table to a checkpoint, with everything on the way in one run directory. */
import { Option } from 'commander';
import { Dashboard, DEFAULT_PORT } from '../dashboard/dashboard.js';
import { describeQuarantine } from '../data/images/scan.js';
import { sampledFrequencies } from '../data/sampling/sampled-frequencies.js';
import { registeredLosses } from '../losses/registry.js';
import { openDevice } from '../platform/node/open-device.js';
import type { MacroScores } from '../predict/scores.js';
import { RecipeError } from '../recipe/recipe-error.js';
import { finalRecipe } from '../recipe/recipe-stages.js';
import { writeModelCard } from '../report/model-card.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { decimals } from '../text/numbers.js';
import { padCell } from '../text/padded-table.js';
import type { RunSummary } from '../train/run/finish-run.js';
import { type PreparedRun, prepareRun } from '../train/run/prepare-run.js';
import type { RunEvent } from '../train/run/run-event.js';
import { planRun, type RunPlan } from '../train/run/run-plan.js';
import { distinctData, type Stage, stageTitle } from '../train/run/stage-plan.js';
import { trainRun } from '../train/run/train-run.js';
import type { ExaminedPart, TrainingData } from '../train/run/training-data.js';
import { TensorboardLog } from '../train/tensorboard/tensorboard-log.js';
import type { RateRange } from '../train/trial/rate-curve.js';
import { command, runCommand } from './command.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';
import { findRate, lrFindOption, requireFreeRates } from './lr-find.js';
import { addCacheOptions, type CacheFlags, pictureCache } from './options/cache-option.js';
import { adapterOption, imagesOption, OldSpelling, setOption } from './options/common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './options/hub-option.js';
import { addKernelOptions, type KernelFlags, kernelTuning } from './options/kernel-options.js';
import { portNumber, positiveNumber, wholeNumber } from './options/number-option.js';
import { classesOfRun, classTable } from './text/class-table.js';
import { formatSampling } from './text/sampling-table.js';
import { terminalOf, writeLines } from './text/terminal.js';
import { ProgressLine, trainingDisplay } from './training-display.js';

interface TrainFlags extends KernelFlags, HubFlags, CacheFlags {
  readonly recipe?: string;
  readonly data?: string;
  readonly images?: string;
  readonly weights?: string;
  readonly weightsHead?: 'keep' | 'reset';
  readonly out?: string;
  readonly set: string[];
  readonly seed?: number;
  readonly loss?: string;
  readonly memory?: string;
  readonly onDivergence?: 'stop' | 'rollback';
  readonly adapter?: string;
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly stopAfter?: number;
  readonly lrFind?: RateRange;
  readonly stage?: string;
  readonly tensorboard?: boolean;
  readonly dashboard?: number | true;
}

const ADAPTERS = 'best.adapters.safetensors';

const SIMULATED =
  '*** SIMULATED DATA: no --data was given, so the pictures are phantoms drawn by a program. ***\n' +
  '*** Such a model knows nothing of patients. Never for clinical use.                     ***';

const headOption = new Option(
  '--weights-head <choice>',
  'the head in --weights: keep it, or reset to a fresh one',
).choices(['keep', 'reset']);

const program = command('train')
  .option('--recipe <file>', 'what to train and how (YAML); see recipes/')
  .option(
    '--data <path>',
    'label table (CSV, or MedMNIST’s .npz), or a folder with one; without it, phantoms are drawn',
  )
  .addOption(imagesOption())
  .option(
    '--weights <source>',
    'to start from: a safetensors or PyTorch file, or hf-hub:owner/name@revision:file (downloaded once)',
  )
  .addOption(headOption)
  .addOption(new OldSpelling('--head <choice>', headOption))
  .option('--out <dir>', 'run directory (default: runs/<recipe>-seed<seed>)')
  .addOption(setOption('the recipe', 'loss.gammaNeg=4'))
  .option('--seed <n>', 'the same as --set seed=n', wholeNumber)
  .option(
    '--loss <name>',
    'the same as --set loss.name=…: a loss (see losses), or a file with one of your own',
  )
  .option('--memory <size>', 'what training may take on the GPU, e.g. 4GiB; recomputes values where it must')
  .addOption(
    new Option(
      '--on-divergence <choice>',
      'when loss or gradient is not finite: stop, or go back to the last saved epoch at a lower learning rate',
    ).choices(['stop', 'rollback']),
  )
  .addOption(adapterOption())
  .option('--resume', 'go on with the run in --out where it was saved last')
  .option('--force', 'replace the run in --out')
  .option('--strict', 'refuse data with images that cannot be used, instead of leaving those out')
  .option(
    '--lenient',
    'use damaged images as far as they decode (data.lenient=true); --strict then refuses only the others',
  )
  .option('--stop-after <steps>', 'save and stop after so many steps of this session', positiveNumber)
  .addOption(lrFindOption())
  .option('--stage <name>', 'the stage that --lr-find tries, by name or number (default: the first)')
  .option('--tensorboard', 'also write the curves for TensorBoard, into the folder tensorboard of the run')
  .option(
    '--dashboard [port]',
    `show the run in a browser of this machine while it goes on (default port: ${DEFAULT_PORT}, or any free one)`,
    portNumber,
  )
  .option('--quiet', 'print only the result')
  .addHelpText(
    'after',
    `\nLosses: ${registeredLosses()
      .map(({ name }) => name)
      .join(', ')}.\nTheir parameters: tailray losses NAME.`,
  )
  .action(train);
addCacheOptions(addHubOption(addKernelOptions(program)));

async function train(flags: TrainFlags): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const interrupt = new Interrupt(
    'Stopping: the step in hand is finished and saved. Once more to exit at once.',
  );
  let dashboard: Dashboard | undefined;
  try {
    if (flags.stage !== undefined && !flags.lrFind) throw new RecipeError('--stage goes with --lr-find.');
    if (flags.dashboard !== undefined && flags.lrFind) {
      throw new RecipeError(
        '--dashboard shows a training, and --lr-find trains no run: leave one of them out.',
      );
    }
    // a range test writes beside a run, never over it
    const force = flags.force || flags.lrFind !== undefined;
    const plan = await planRun({ ...flags, force, head: flags.weightsHead });
    if (flags.lrFind) await requireFreeRates(plan.run.path, flags);
    say(`run        ${plan.run.path}`);
    dashboard = await openDashboard(plan, flags, interrupt);
    const simulated = finalRecipe(plan.recipe).data.path === undefined;
    if (simulated) process.stderr.write(`${SIMULATED}\n`);
    const { stages, ...prepared } = await prepare(plan, flags, dashboard);
    for (const data of distinctData(stages)) {
      const sharing = stages.filter((stage) => stage.data === data);
      if (sharing.length < stages.length) say(`data       of ${sharing.map(stageTitle).join('; ')}:`);
      for (const line of describeData(data)) say(line);
      for (const { recipe, sampler } of distinctSamplers(sharing)) {
        const sampled = sampledFrequencies(data.train.readable, sampler);
        for (const line of formatSampling(recipe.sampler, sampled)) say(line);
      }
    }
    const device = await openDevice({ adapter: flags.adapter });
    say(`adapter    ${device.description}`);
    dashboard?.uses(device);
    interrupt.protect();
    try {
      if (flags.lrFind) {
        const { lrFind: range, stage, quiet } = flags;
        const tuning = kernelTuning(device, flags);
        const { signal } = interrupt;
        for (const line of await findRate(
          { ...prepared, stages },
          { device, tuning, signal, range, stage, quiet },
        )) {
          process.stdout.write(`${line}\n`);
        }
        return;
      }
      const { run } = prepared;
      const display = trainingDisplay({
        quiet: flags.quiet ?? false,
        explain: flags.explain ?? 'top',
      });
      const curves = flags.tensorboard ? new TensorboardLog(run.tensorboard) : undefined;
      const summary = await trainRun(
        { ...prepared, stages },
        {
          device,
          tuning: kernelTuning(device, flags),
          signal: interrupt.signal,
          stopAfter: flags.stopAfter,
          explain: flags.explain !== undefined,
          measurePace: !flags.quiet,
          listeners: [
            display,
            ...(curves ? [(event: RunEvent) => curves.listen(event)] : []),
            ...(dashboard ? [(event: RunEvent) => dashboard?.hear(event)] : []),
          ],
          requests: dashboard?.requests,
        },
      );
      if (summary.status === 'finished') await finish(run.best, flags.quiet);
      process.stdout.write(`${conclude(summary, run.path, await run.traces())}\n`);
      await dashboard?.end(summary.status, outcome(summary, run.path));
      if (simulated) process.stderr.write(`${SIMULATED}\n`);
    } finally {
      device.close();
    }
    if (interrupt.signal.aborted) process.exitCode = INTERRUPTED;
  } catch (error) {
    await dashboard?.end(
      'failed',
      `The run ended with an error: ${error instanceof Error ? error.message : error}`,
    );
    throw error;
  } finally {
    interrupt.release();
  }
}

/** The page of the run, where it is asked for. Its address must be seen, so it is printed in a quiet run, too. */
async function openDashboard(
  { run, recipe, resume }: RunPlan,
  { dashboard: port }: TrainFlags,
  interrupt: Interrupt,
): Promise<Dashboard | undefined> {
  if (port === undefined) return undefined;
  const dashboard = await Dashboard.open({
    run,
    recipe,
    resume,
    ...(port !== true && { port }),
    stop: () => interrupt.request(),
    say: (text) => process.stdout.write(`${text}\n`),
  });
  interrupt.signal.addEventListener('abort', () => dashboard.stopping());
  return dashboard;
}

/** Weights, data and stages, with the progress on the way. */
async function prepare(plan: RunPlan, flags: TrainFlags, dashboard?: Dashboard): Promise<PreparedRun> {
  const progress = new ProgressLine(flags.quiet ?? false);
  try {
    return await prepareRun(plan, {
      cache: cacheFolder(),
      pictures: pictureCache(flags),
      hub: hubOptions(flags, progress),
      strict: flags.strict,
      onProgress: (title, done, total) => {
        progress.show(title, done, total, () => 'images');
        dashboard?.preparing(title, done, total);
      },
    });
  } finally {
    progress.stop();
  }
}

/** The first stage with each choice of images. */
function distinctSamplers(stages: readonly Stage[]): Stage[] {
  const choices = stages.map(({ recipe }) => JSON.stringify(recipe.sampler));
  return stages.filter((_, i) => choices.indexOf(choices[i] ?? '') === i);
}

function describeData(data: TrainingData): string[] {
  const part = ({ all, patients }: ExaminedPart) =>
    `${all.length} images${patients > 0 ? ` of ${patients} patients` : ''}`;
  const parts = [`train ${part(data.train)}`];
  if (data.validation) parts.push(`validation ${part(data.validation)}`);
  if (data.test) parts.push(`test ${part(data.test)}`);
  const examined = [data.train, data.validation, data.test].filter((each) => each !== null);
  const quarantined = examined.flatMap((each) => each.quarantined);
  const accepted = examined.flatMap((each) => each.accepted);
  const total = examined.reduce((sum, each) => sum + each.all.length, 0);
  return [
    ...data.notes.map((note) => `data       ${note}`),
    `data       ${data.path}: ${data.classes.length} classes; ${parts.join(', ')}.`,
    `images     ${describeQuarantine(quarantined, total, accepted)}`,
    ...(quarantined.length > 0 ? [`           image folder: ${data.train.all.store.root}`] : []),
  ];
}

/** Writes the model card, and shows how good each class became: the card has measured it. */
async function finish(checkpoint: string, quiet: boolean | undefined): Promise<void> {
  const { run } = await writeModelCard(checkpoint, { force: true });
  if (quiet || !run?.primary) return;
  const { name, drawn } = run.primary;
  writeLines([
    '',
    `classes    on ${name}, from most to least common in training; 95 % intervals over ${drawn}`,
    ...classTable(classesOfRun(run), terminalOf()),
    '',
  ]);
}

/** The end of a run in a few sentences, for its page. */
function outcome({ status, steps, best, test, validation }: RunSummary, path: string): string {
  if (status === 'stopped') {
    return `Stopped after step ${steps}, and saved. It goes on, to the same bytes, with: npx tailray train --resume --out ${path} --dashboard`;
  }
  const held = test ?? validation;
  const scores =
    held &&
    ` ${test ? 'Test' : 'Validation'}: mAP ${decimals(held.mAP, 4)}, AUROC ${decimals(held.auroc, 4)}.`;
  return `Finished.${best ? ` The best weights are those of epoch ${best.epoch}.` : ''}${scores ?? ''} npx tailray report ${path} writes the report: ${path}/report.html`;
}

/** @param files what lies in the run directory */
function conclude(summary: RunSummary, path: string, files: readonly string[]): string {
  if (summary.status === 'stopped') {
    return `stopped after step ${summary.steps} and saved. Go on with: npx tailray train --resume --out ${path}`;
  }
  const scores = (name: string, values: MacroScores | null) =>
    values === null
      ? []
      : [
          `${padCell(name, 10)} mAP ${decimals(values.mAP, 4)} (guess ${decimals(values.prevalenceGuess, 4)}), AUROC ${decimals(values.auroc, 4)}`,
        ];
  const left = [...new Set(summary.leftOut.test.concat(summary.leftOut.validation).map(({ name }) => name))];
  return [
    `best       epoch ${summary.best?.epoch ?? '–'} of ${summary.epochs}`,
    ...scores('validation', summary.validation),
    ...scores('test', summary.test),
    ...(left.length > 0 ? [`left out   of some means: ${left.join(', ')} (why: ${path}/summary.json)`] : []),
    `written    ${path}: best.safetensors, ${files.includes(ADAPTERS) ? `${ADAPTERS}, ` : ''}${files.includes('kept') ? 'kept/, ' : ''}predictions.csv, model-card.md, summary.json, metrics.jsonl, recipe.yaml, last/`,
  ].join('\n');
}

await runCommand(program);
