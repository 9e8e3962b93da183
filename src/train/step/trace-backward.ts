import type { Graph, Tensor } from '../../engine/graph/tensor.js';
import { store } from '../../engine/store.js';
import { grad } from '../../kernels/common/grad.js';
import { LOSS_SCALE_STATE, lossScale } from '../../kernels/loss/loss-scale.js';
import { addInto } from '../../kernels/optimizer/add-into.js';
import { follow } from '../../kernels/optimizer/follow.js';
import { mul } from '../../kernels/pointwise/pointwise-table.js';
import { reshape } from '../../kernels/shape/reshape.js';
import { BEGINNING } from '../../losses/define/reference-loss.js';
import { traceBoundLoss } from '../../losses/define/trace-bound-loss.js';
import { traceImages } from './step-images.js';
import type { StepProgramOptions } from './step-options.js';
import { LOSS_ARENA } from './training-state-plan.js';

/** What the first half of a step needs to know. */
export type BackwardOptions = Pick<
  StepProgramOptions,
  'definition' | 'state' | 'recipe' | 'loss' | 'statistics' | 'batchSize' | 'images'
>;

export interface Backward {
  readonly loss: Tensor;
  /** In mixed precision: the loss scale that the gradients are multiplied by. */
  readonly scale: Tensor | undefined;
}

/**
 * The first half of a step: forward, loss, gradients. It leaves the gradients in the arena `grads` and what batch norms
 * saw in `observed`; all that it takes from other steps are the weights, what the loss keeps (some have a memory of scores)
 * and, in mixed precision, the loss scale.
 *
 * Where several batches make a step (`accumulate`), the gradients come on top of those of the batches before, weighted by
 * `share`, and so does what batch norms saw, weighted by `observedWeight`; see micro-batches.ts.
 *
 * Inputs: those of step-images.ts, `targets`; `scheduled` and `dropoutSeed` where loss and network want them; `share`, `observedWeight`.
 */
export function traceBackward(graph: Graph, options: BackwardOptions): Backward {
  const { definition, recipe, batchSize, state } = options;
  const { trained, followed, holdsStatistics } = state.groups;
  const images = traceImages(graph, options.images, batchSize);
  const targets = graph.input('targets', [batchSize, definition.config.classes]);
  const { logits, observed } = definition.trace(graph, images, 'train', {
    holdsStatistics,
    ...(definition.usesDropout && { dropoutSeed: graph.input('dropoutSeed', [2], 'u32') }),
  });
  const share = recipe.accumulate > 1 ? graph.input('share', [1]) : undefined;
  const loss = graph.scope('loss', () => {
    const { reduction } = recipe.loss;
    const bound = options.loss;
    const numbers = bound.schedule(BEGINNING).length;
    const scheduled = numbers > 0 ? graph.input('scheduled', [numbers]) : undefined;
    const kept = bound.kind === 'batch' ? bound.state(definition.config.classes) : [];
    const variables = kept.map(({ name, shape }) => [name, graph.variable(LOSS_ARENA, name, shape)] as const);
    const own = traceBoundLoss(bound, logits, targets, {
      reduction,
      scheduled,
      state: new Map(variables),
      ...options.statistics,
    });
    return share ? mul(own, share) : own;
  });
  // with respect to these only: what leads to frozen parameters alone is never computed
  const parameters = trained.map(({ name, shape }) => graph.variable('params', name, shape));
  const scale = readLossScale(graph, recipe);
  const gradients = grad(loss, parameters, scale && reshape(scale, loss.shape));
  for (const [i, { name, shape }] of trained.entries()) {
    const gradient = gradients[i];
    const target = graph.variable('grads', name, shape);
    if (gradient) (share ? addInto : store)(gradient, target);
  }
  const weight = share && followed.length > 0 ? graph.input('observedWeight', [1]) : undefined;
  for (const { name, shape } of followed) {
    const value = observed.get(name);
    if (!value) throw new RangeError(`the model observed nothing for its statistic "${name}"`);
    const target = graph.variable('observed', name, shape);
    if (weight) follow(target, value, weight);
    else store(value, target);
  }
  return { loss, scale };
}

/** The variable with the state of the loss scale; undefined where there is none, in full precision. */
export function lossScaleState(
  graph: Graph,
  { precision }: Pick<StepProgramOptions['recipe'], 'precision'>,
): Tensor | undefined {
  return precision === 'f16' ? graph.variable('scaling', 'lossScale', [LOSS_SCALE_STATE]) : undefined;
}

/** The loss scale of this step. */
export function readLossScale(
  graph: Graph,
  recipe: Pick<StepProgramOptions['recipe'], 'precision'>,
): Tensor | undefined {
  const state = lossScaleState(graph, recipe);
  return state && lossScale(state);
}
