import type { z } from 'zod';
import type { Tensor } from '../../engine/graph/tensor.js';
import type { BatchOperands, Loss, LossAbout, LossBatch, LossState, LossValue } from './loss.js';
import { describeParameters, parseParameters } from './loss-parameters.js';

/**
 * A loss that compares entries with each other, and so is no sum over entries (for those: define-loss.ts). It brings its
 * graph, made of any ops, and the same in float64; mask, weights and reduction are for it to define.
 */
export interface BatchLossDefinition<Schema extends z.ZodType> extends LossAbout<Schema> {
  /** What it keeps from step to step, for so many classes; absent: nothing. */
  state?(parameters: z.output<Schema>, classes: number): readonly LossState[];
  /** @returns [1], differentiable with respect to the logits */
  trace(parameters: z.output<Schema>, operands: BatchOperands & { readonly smoothing: number }): Tensor;
  /** The same in float64, with nothing kept. Label smoothing has been applied to the targets. */
  reference(parameters: z.output<Schema>, batch: LossBatch): LossValue;
}

export function defineBatchLoss<Schema extends z.ZodType>(definition: BatchLossDefinition<Schema>): Loss {
  const { name, summary, source } = definition;
  return {
    name,
    summary,
    source,
    parameters: describeParameters(definition.parameters),
    bind(given) {
      const { own, labelSmoothing } = parseParameters(name, definition.parameters, given);
      return {
        kind: 'batch',
        name,
        parameters: { ...(own as object), labelSmoothing },
        labelSmoothing,
        hardLabels: definition.hardLabels ?? false,
        schedule: () => [],
        state: (classes) => definition.state?.(own, classes) ?? [],
        trace: (operands) => definition.trace(own, { ...operands, smoothing: labelSmoothing }),
        reference: (batch) => definition.reference(own, batch),
      };
    },
  };
}
