import type { Tensor } from '../../engine/graph/tensor.js';
import { bindHead } from '../../models/heads/registry.js';
import type { ModelDefinition, TracedModel } from '../../models/model.js';
import { classAttention } from './class-attention.js';
import { gradCam } from './grad-cam.js';
import type { ExplainMethod } from './method.js';
import { rollout } from './rollout.js';

/**
 * Adds a map of each image to the graph of a traced network.
 * @param select [n, classes]: for which class each image is asked about, as 1 among zeros
 * @returns [n, rows, columns], never negative @throws ExplainError where the method says nothing of this network
 */
export function traceMap(
  method: ExplainMethod,
  traced: TracedModel,
  { select, definition }: { select: Tensor; definition: ModelDefinition },
): Tensor {
  switch (method) {
    case 'grad-cam':
      return gradCam(traced, select);
    case 'csra':
      return classAttention(traced, select);
    case 'rollout':
      return rollout(traced, bindHead(definition.config.head).reads);
  }
}
