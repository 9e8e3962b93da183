import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { requireFreeFile } from '../predict/predictions.js';
import { RecipeError } from '../recipe/recipe-error.js';
import { ratePlot } from '../report/plots/rate-plot.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { count, decimals } from '../text/numbers.js';
import type { PreparedRun } from '../train/run/prepare-run.js';
import type { SessionOptions } from '../train/run/session.js';
import type { Stage } from '../train/run/stage-plan.js';
import { type RangeTest, testRates } from '../train/trial/range-test.js';
import {
  type RatePoint,
  type RateRange,
  type RateSuggestions,
  RUNAWAY,
  suggestRates,
} from '../train/trial/rate-curve.js';
import { ProgressLine } from './training-display.js';

/** `train --lr-find`: a learning-rate range test in place of a training. */

const STEPS = 100;

const [PICTURE, TABLE] = ['lr-find.svg', 'lr-find.csv'];

export function lrFindOption(): Option {
  return new Option(
    '--lr-find [from:to:steps]',
    'train nothing, but try growing learning rates, a step each, and suggest one',
  )
    .preset('1e-7:1:100')
    .argParser(parseRange)
    .conflicts('resume');
}

/** @throws InvalidArgumentError */
function parseRange(text: string): RateRange {
  const [from = Number.NaN, to = Number.NaN, steps = STEPS, ...more] = text.split(':').map(Number);
  const sound =
    from > 0 && to > from && to <= 100 && Number.isInteger(steps) && steps >= 10 && steps <= 10_000;
  if (sound && more.length === 0) return { from, to, steps };
  throw new InvalidArgumentError(
    'It must be two rates and a number of steps (10 to 10000), such as 1e-6:0.1:200.',
  );
}

/** @throws StorageError where an earlier test lies in the folder and is not to be replaced */
export async function requireFreeRates(
  folder: string,
  { force }: { readonly force?: boolean },
): Promise<void> {
  if (!force) for (const name of [PICTURE, TABLE]) await requireFreeFile(join(folder, name));
}

export interface FindRateOptions extends Pick<SessionOptions, 'device' | 'tuning' | 'signal'> {
  readonly range: RateRange;
  /** Name or number. */
  readonly stage?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/** Tests, writes picture and table into the run's folder, and tells what they suggest. @throws as `testRates` */
export async function findRate(
  prepared: PreparedRun,
  { stage: wanted, quiet = false, range, ...options }: FindRateOptions,
): Promise<string[]> {
  const stage = stageOf(prepared.stages, wanted);
  const progress = new ProgressLine(quiet);
  const test = await testRates(prepared, {
    ...options,
    stage,
    range,
    onStep: (done, rate, loss) =>
      progress.show('rate', done, range.steps, () => `${written(rate)}: loss ${decimals(loss, 4)}`),
  }).finally(() => progress.stop());
  const { points, notes } = test;
  if (points.length < 2) {
    throw new RecipeError(
      `the loss is not finite at a learning rate of ${written(range.from)} already: start lower, or look at the weights.`,
    );
  }
  const suggestions = suggestRates(points);
  const folder = prepared.run.path;
  const title = ['Learning-rate range test', ...(stage.name === undefined ? [] : [`stage ${stage.name}`])];
  await mkdir(folder, { recursive: true });
  await writeAtomically(join(folder, PICTURE), ratePlot(points, suggestions, title.join(', ')));
  await writeAtomically(join(folder, TABLE), table(points));
  return [
    ...notes,
    ...(stage.number > 1
      ? [
          `note       stage ${stage.number} will start from weights of the stage before, which are not there yet: tried from ` +
            "the recipe's own starting weights (--weights FILE names others).",
        ]
      : []),
    describeTest(test, range),
    ...describeSuggestions(suggestions),
    `written    ${folder}: ${PICTURE}, ${TABLE}`,
  ];
}

/** @throws RecipeError */
function stageOf(stages: readonly Stage[], wanted = '1'): Stage {
  const stage = stages.find(({ name, number }) => name === wanted || String(number) === wanted);
  if (stage) return stage;
  const names = stages.map(({ name, number }) => name ?? String(number));
  throw new RecipeError(`--stage ${wanted}: the recipe has no such stage; it has ${names.join(', ')}.`);
}

function describeTest({ points, end }: RangeTest, { from, to, steps }: RateRange): string {
  const ends = {
    all: 'all were tried',
    runaway: `ended where the loss was above ${RUNAWAY} times its least`,
    'not finite': 'ended where the loss or its gradient was not finite',
  };
  return `lr-find    ${count(points.length)} of ${count(steps)} rates from ${written(from)} to ${written(to)}, a step each: ${ends[end]}`;
}

function describeSuggestions(suggestions: RateSuggestions | null): string[] {
  if (suggestions === null) {
    return ['suggested  nothing: the loss does not fall anywhere. Try more steps, or another range.'];
  }
  const { steepest, tenthOfMinimum, minimum } = suggestions;
  return [
    `suggested  optimizer.lr=${written(steepest)}  steepest slope: the loss falls fastest at this rate`,
    `           optimizer.lr=${written(tenthOfMinimum)}  a tenth of ${written(minimum)}, which has the least loss and little room before it grows`,
    '           One step a rate says where to look, not what is best; factors of parameter groups were in force.',
  ];
}

function table(points: readonly RatePoint[]): string {
  const lines = points.map(({ rate, loss, smoothed }, i) => [i + 1, rate, loss, smoothed].join(','));
  return `step,learningRate,loss,smoothedLoss\n${lines.join('\n')}\n`;
}

function written(rate: number): string {
  return rate.toExponential(1).replace('.0e', 'e');
}
