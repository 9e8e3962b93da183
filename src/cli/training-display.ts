import { SingleBar } from 'cli-progress';
import { describeLoss } from '../report/describe-run.js';
import { formatByteSize } from '../text/byte-size.js';
import { formatRoughly, formatSeconds } from '../text/duration.js';
import { count, counted, decimals, percent } from '../text/numbers.js';
import { padCell } from '../text/padded-table.js';
import { RunMeter } from '../train/live/run-meter.js';
import type { EpochLine } from '../train/run/metrics-line.js';
import type { RunListener } from '../train/run/run-event.js';
import type { Progress } from '../train/run/saved-state.js';
import type { Stage } from '../train/run/stage-plan.js';
import type { Trainer } from '../train/step/trainer.js';
import { type StagePace, secondsLeft } from '../train/trial/stage-pace.js';
import { formatGroups } from './text/group-table.js';
import { type ExplainWhat, formatExplanation } from './text/plan-table.js';

/**
 * What a training run shows while it runs: a bar on a terminal, a plain line now and then elsewhere, and a line an
 * epoch on both. Facts go to stdout, the bar to stderr.
 */
export interface TrainingDisplayOptions {
  /** Only what must be seen. */
  readonly quiet: boolean;
  /** How much to show of where the time of a step goes. */
  readonly explain: ExplainWhat;
}

/** Seconds between two plain lines. */
const PLAIN_INTERVAL = 10;

export function trainingDisplay({ quiet, explain }: TrainingDisplayOptions): RunListener {
  const say = (text: string) => {
    if (!quiet) process.stdout.write(`${text}\n`);
  };
  const meter = new RunMeter();
  const bar = new ProgressLine(quiet);
  let extent = { stages: 1, epochs: 0, steps: 0 };
  let loss = Number.NaN;
  const describe = (step: number) =>
    `loss ${decimals(loss, 4)}, ${decimals(meter.imagesPerSecond, 0)} images/s, ${formatSeconds(meter.secondsLeft(step, extent.steps))} left`;
  return (event) => {
    switch (event.kind) {
      case 'note':
        return say(event.note);
      case 'rollback':
        bar.stop();
        meter.restart(event.progress.step);
        return say(event.note);
      case 'ready': {
        const { trainer, progress, stage, pace } = event;
        extent = stage.run;
        meter.start(progress.step, stage.recipe.batchSize * stage.recipe.accumulate);
        bar.stop();
        for (const line of describeTrainer(trainer, stage, progress)) say(line);
        if (pace) say(`plan       ${describePace(pace, stage, progress)}`);
        return;
      }
      case 'step': {
        const { step, epoch } = event;
        meter.step(step);
        return bar.show(`epoch ${epoch}/${extent.epochs}, step`, step, extent.steps, () => describe(step));
      }
      case 'losses':
        loss = event.loss;
        return;
      case 'validation':
        return bar.show('validation', event.done, event.total, () => 'images');
      case 'epoch':
        bar.stop();
        return say(describeEpoch(event.line, extent.epochs));
      case 'explanation':
        bar.stop();
        process.stdout.write(`\n${formatExplanation(event.explanation, explain)}\n`);
        return;
      case 'scoring':
        bar.show('scoring the best checkpoint', event.done, event.total, () => 'images');
        if (event.done === event.total) bar.stop();
    }
  };
}

/** A count on its way: a bar on a terminal, else a line every ten seconds. */
export class ProgressLine {
  #bar: SingleBar | undefined;
  #title = '';
  #printed = performance.now();

  constructor(readonly quiet: boolean) {}

  show(title: string, done: number, total: number, describe: () => string): void {
    if (this.quiet) return;
    if (!process.stderr.isTTY) {
      if (performance.now() - this.#printed < PLAIN_INTERVAL * 1000) return;
      this.#printed = performance.now();
      process.stdout.write(`${title} ${done}/${total}, ${describe()}\n`);
      return;
    }
    if (this.#title !== title) {
      this.stop();
      this.#title = title;
      this.#bar = new SingleBar({
        format: `${title} {value}/{total} {bar} {text}`,
        hideCursor: true,
        clearOnComplete: true,
        barsize: 24,
      });
      this.#bar.start(total, done, { text: describe() });
    }
    this.#bar?.update(done, { text: describe() });
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#title = '';
  }
}

function describeTrainer(trainer: Trainer, stage: Stage, progress: Progress): string[] {
  const { recipe, run, firstStep } = stage;
  const { arch, stem, width, head } = trainer.definition.config;
  const { totalSteps } = trainer.schedule;
  const { epochs } = recipe.schedule;
  const { optimizer, ema } = recipe;
  const done = progress.step - firstStep;
  return [
    ...(run.stages > 1 ? [`stage      ${describeStage(stage)}`] : []),
    `model      ${arch}, width ${width}, stem ${stem}${head.name === 'linear' ? '' : `, head ${head.name}`}: ${count(trainer.parameters)} parameters`,
    `loss       ${describeLoss(recipe)}`,
    `optimizer  ${optimizer.name}, learning rate ${optimizer.lr}, weight decay ${optimizer.weightDecay}` +
      `${ema === false ? '' : `, averaged with decay ${ema.decay}`}`,
    ...formatGroups(trainer.state.groups).map((line, i) => `${padCell(i === 0 ? 'groups' : '', 11)}${line}`),
    `steps      ${totalSteps - done} of ${totalSteps}: ${epochs} epochs of ${totalSteps / epochs} ` +
      (recipe.accumulate === 1
        ? `batches of ${recipe.batchSize} images`
        : `times ${recipe.accumulate} batches of ${recipe.batchSize} images`),
    `memory     ${describeMemory(trainer)}`,
  ];
}

/** `2 of 2, balanced: from the last weights, with a fresh head` */
function describeStage({ number, name, start, head, run }: Stage): string {
  const title = `${number} of ${run.stages}${name === undefined ? '' : `, ${name}`}`;
  if (number === 1) return title;
  return `${title}: from the ${start} weights of the one before${head === 'reset' ? ', with a fresh head' : ''}`;
}

/** `epoch ≈ 42 min (1,250 steps of 2.0 s), validation ≈ 2 min; whole run ≈ 44 h` */
function describePace(pace: StagePace, stage: Stage, progress: Progress): string {
  const { stepSeconds, validationSeconds } = pace;
  const epoch = `epoch ≈ ${formatRoughly(stage.stepsPerEpoch * stepSeconds)} (${counted(stage.stepsPerEpoch, 'step')} of ${formatRoughly(stepSeconds)})`;
  const validation = validationSeconds === null ? '' : `, validation ≈ ${formatRoughly(validationSeconds)}`;
  const what =
    progress.step > stage.firstStep ? 'what is left' : stage.run.stages > 1 ? 'this stage' : 'whole run';
  const of = progress.step > stage.firstStep && stage.run.stages > 1 ? ' of this stage' : '';
  return `${epoch}${validation}; ${what}${of} ≈ ${formatRoughly(secondsLeft(pace, stage, progress))}`;
}

/** The peak, and what keeps it that low. */
function describeMemory({ peakBytes, step: { recomputation } }: Trainer): string {
  const peak = `${formatByteSize(peakBytes)} at the peak on the adapter`;
  if (!recomputation) return peak;
  const { recomputed, candidates, flops, extraFlops, savedBytes } = recomputation;
  return (
    `${peak} instead of ${formatByteSize(peakBytes + savedBytes)}: ` +
    `recomputes ${recomputed} of ${candidates} activations, +${percent(extraFlops / (flops - extraFlops), 1)} FLOPs`
  );
}

function describeEpoch(line: EpochLine, epochs: number): string {
  const { validation } = line;
  const parts = [
    `epoch ${padCell(String(line.epoch), String(epochs).length, true)}/${epochs}`,
    `loss ${decimals(line.loss, 4)}`,
  ];
  if (validation) {
    parts.push(
      `validation mAP ${decimals(validation.mAP, 4)} (guess ${decimals(validation.prevalenceGuess, 4)})`,
      `AUROC ${decimals(validation.auroc, 4)}`,
    );
  }
  parts.push(formatSeconds(line.seconds));
  return `${parts.join('  ')}${line.best ? '  best so far' : ''}`;
}
