import { epochBatches } from '../run/epoch-batches.js';
import type { Stage } from '../run/stage-plan.js';
import type { Trainer } from '../step/trainer.js';
import { describeOrigin, type Origin } from './describe-unsound.js';
import type { Divergence } from './divergence.js';

/** The stage that diverged, on the device as the step after the last one found it. */
export interface Diverged {
  readonly stage: Stage;
  readonly trainer: Pick<Trainer, 'step'>;
}

/**
 * Repeats the step on its batch, op by op, with the weights as they are now. These are the step's own unless steps after it,
 * which ran before its loss was read, were finite. The state is of no use afterwards but to be restored.
 * @returns undefined where the step is finite this time
 */
export async function examineDivergence(
  { stage, trainer }: Diverged,
  { step }: Divergence,
): Promise<Origin | undefined> {
  const done = step - 1 - stage.firstStep;
  const epoch = stage.firstEpoch + Math.floor(done / stage.stepsPerEpoch);
  for await (const batch of epochBatches(stage, epoch, done % stage.stepsPerEpoch)) {
    const unsound = await trainer.step.examine(batch, step - 1);
    if (unsound === null) return undefined;
    const { table, classes } = stage.data.train.readable;
    const images = Array.from(batch.rows, (row) => table.rows[row]?.image ?? '');
    return describeOrigin(unsound, { images, classes });
  }
  return undefined;
}
