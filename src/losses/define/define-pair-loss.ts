import { z } from 'zod';
import { pairLoss } from '../../kernels/loss/pair-loss.js';
import { rememberScores, scoreMemoryShape } from '../../kernels/loss/score-memory.js';
import { defineBatchLoss } from './define-batch-loss.js';
import type { Loss, LossAbout, LossBatch, LossValue } from './loss.js';

/** A loss that is a cost of each class, made of pairs of its images; see `PairLossAttributes` for its WGSL. */
export interface PairLossDefinition<Schema extends z.ZodType> extends LossAbout<Schema> {
  wgsl(parameters: z.output<Schema>): string;
  /** The same in float64. Label smoothing has been applied to the targets. */
  reference(parameters: z.output<Schema>, batch: LossBatch): LossValue;
  /** Floating-point operations of one pair, about. */
  readonly flops: number;
}

/** The largest memory: a pass over it takes as long as one over a batch of that size. */
const MOST_REMEMBERED = 16_384;

/** A parameter of every loss of pairs. */
export const memoryParameter = z
  .int()
  .min(0)
  .max(MOST_REMEMBERED)
  .default(0)
  .describe(
    'known scores and labels of each class, from batches before, that the batch is compared with beside itself; they get no gradient. 0: none',
  );

const STATE = 'memory';

/** The parameters must have `memory`. */
export function definePairLoss<Schema extends z.ZodType<{ memory: number }>>(
  definition: PairLossDefinition<Schema>,
): Loss {
  const { name, summary, source, parameters, flops } = definition;
  return defineBatchLoss({
    name,
    summary,
    source,
    parameters,
    hardLabels: true,
    state: ({ memory }, classes) =>
      memory > 0 ? [{ name: STATE, shape: scoreMemoryShape(memory, classes) }] : [],
    trace(given, { logits, targets, reduction, sampleWeights, smoothing, state }) {
      const memory = given.memory > 0 ? state?.get(STATE) : undefined;
      const value = pairLoss(
        { name, code: definition.wgsl(given), flops, smoothing, reduction },
        logits,
        targets,
        { weights: sampleWeights, memory },
      );
      if (memory) rememberScores(memory, logits, targets);
      return value;
    },
    reference: (given, batch) => definition.reference(given, batch),
  });
}
