import type { Dataset } from '../../data/dataset.js';
import { predictDataset } from '../../predict/predict.js';
import { epochBatches } from '../run/epoch-batches.js';
import type { Progress } from '../run/saved-state.js';
import type { Stage } from '../run/stage-plan.js';
import type { Trainer } from '../step/trainer.js';

/**
 * How long a stage will take, measured before its first step: a few steps on its own first batches, loading included, and
 * the evaluation of two batches. Pictures that no earlier run has read are decoded on the way, as in the first epoch.
 */
export interface StagePace {
  readonly stepSeconds: number;
  /** Of the whole validation part; null where there is none. */
  readonly validationSeconds: number | null;
}

/** Steps to measure, the first not counted, and seconds after which what was seen is enough. */
const STEPS = 4;
const ENOUGH = 3;

type PaceSource = Pick<Stage, 'data' | 'recipe' | 'sampler' | 'firstEpoch' | 'firstStep'>;

/**
 * To be called before the state is put in place: it is all zero afterwards, as if nothing had run.
 * @throws ImageError; what the device reports
 */
export async function measurePace(
  trainer: Pick<Trainer, 'step' | 'inference' | 'state'>,
  source: PaceSource,
): Promise<StagePace> {
  const stepSeconds = await secondsOfStep(trainer, source);
  const { validation } = source.data;
  const validationSeconds = validation && (await secondsOfEvaluation(trainer, validation.readable));
  trainer.state.clear();
  return { stepSeconds, validationSeconds };
}

async function secondsOfStep({ step }: Pick<Trainer, 'step'>, source: PaceSource): Promise<number> {
  const start = now();
  const ends: number[] = [];
  for await (const batch of epochBatches(source, source.firstEpoch, 0)) {
    step.run(batch, source.firstStep + ends.length);
    await step.scalars();
    const end = now();
    ends.push(end);
    if (ends.length === STEPS || end - start > ENOUGH) break;
  }
  const [first = start, last = first] = [ends[0], ends.at(-1)];
  // the first also waits for what a driver does late
  return ends.length > 1 ? (last - first) / (ends.length - 1) : last - start;
}

async function secondsOfEvaluation({ inference }: Pick<Trainer, 'inference'>, dataset: Dataset) {
  const { batchSize } = inference;
  const batches = Math.ceil(dataset.length / batchSize);
  const secondsOf = async (batch: number) => {
    const from = batch * batchSize;
    const length = Math.min(batchSize, dataset.length - from);
    const start = now();
    await predictDataset(inference, dataset.subset(Array.from({ length }, (_, i) => from + i)));
    return now() - start;
  };
  const first = await secondsOf(0);
  return batches * (batches === 1 || first > ENOUGH ? first : await secondsOf(1));
}

function now(): number {
  return performance.now() / 1000;
}

/** What is left of a stage by its pace, validations included. */
export function secondsLeft(
  { stepSeconds, validationSeconds }: StagePace,
  stage: Pick<Stage, 'recipe' | 'firstStep' | 'firstEpoch' | 'endEpoch' | 'stepsPerEpoch'>,
  { step, epochsClosed }: Pick<Progress, 'step' | 'epochsClosed'>,
): number {
  const { every } = stage.recipe.validation;
  const steps = stage.firstStep + (stage.endEpoch - stage.firstEpoch) * stage.stepsPerEpoch - step;
  let validations = 0;
  for (let epoch = epochsClosed + 1; epoch <= stage.endEpoch; epoch++) {
    if (epoch === stage.endEpoch || epoch % every === 0) validations++;
  }
  return steps * stepSeconds + validations * (validationSeconds ?? 0);
}
