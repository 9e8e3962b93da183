import { divergenceOf } from '../divergence/divergence.js';
import { epochBatches } from '../run/epoch-batches.js';
import type { PreparedRun } from '../run/prepare-run.js';
import { Session, type SessionOptions } from '../run/session.js';
import type { Stage } from '../run/stage-plan.js';
import { fixedTexts } from '../run/train-run.js';
import { type RatePoint, type RateRange, rateCurve, rateOf, runsAway } from './rate-curve.js';

/** A learning-rate range test: one short training whose rate grows with every step, and which is thrown away. */
export interface RangeTest {
  readonly points: readonly RatePoint[];
  /** Why it ended: all rates were tried, the loss ran away, or it was no number any more. */
  readonly end: 'all' | 'runaway' | 'not finite';
  /** What the trainer said of its starting weights. */
  readonly notes: readonly string[];
}

export interface RangeTestOptions extends Pick<SessionOptions, 'device' | 'tuning' | 'signal'> {
  readonly stage: Stage;
  readonly range: RateRange;
  readonly onStep?: ((done: number, rate: number, loss: number) => void) | undefined;
}

/**
 * Trains the stage from the recipe's starting weights at growing rates, which take the place of the schedule's; the factors
 * of parameter groups stay. Writes nothing.
 * @throws what `trainRun` throws before its first step; the signal's reason
 */
export async function testRates(
  prepared: PreparedRun,
  { stage: planned, range, signal, onStep, ...options }: RangeTestOptions,
): Promise<RangeTest> {
  const stage = longEnough(planned, range.steps);
  const fresh = { ...prepared, resume: false };
  const fixed = await fixedTexts(fresh, options);
  const session = await Session.open({ ...fresh, stages: [stage] }, options, fixed);
  const { trainer } = session;
  try {
    const notes = await session.initialise();
    trainer.step.changeRate((_, step) => rateOf(range, step - stage.firstStep));
    const losses: number[] = [];
    let end: RangeTest['end'] = 'all';
    for (let epoch = stage.firstEpoch; end === 'all' && losses.length < range.steps; epoch++) {
      for await (const batch of epochBatches(stage, epoch, 0)) {
        signal?.throwIfAborted();
        const step = losses.length;
        trainer.step.run(batch, stage.firstStep + step);
        const [scalars] = await trainer.step.scalars();
        if (!scalars || divergenceOf(step + 1, scalars) || !Number.isFinite(scalars.loss)) end = 'not finite';
        else {
          losses.push(scalars.loss);
          onStep?.(losses.length, rateOf(range, step), scalars.loss);
          if (runsAway(losses)) end = 'runaway';
        }
        if (end !== 'all' || losses.length === range.steps) break;
      }
    }
    return { points: rateCurve(range, losses), end, notes };
  } finally {
    session.close();
  }
}

/** A loss may change over its stage, and no step comes after the last one. */
function longEnough(stage: Stage, steps: number): Stage {
  const { schedule } = stage.recipe;
  const epochs = Math.max(schedule.epochs, Math.ceil(steps / stage.stepsPerEpoch));
  return { ...stage, recipe: { ...stage.recipe, schedule: { ...schedule, epochs } } };
}
