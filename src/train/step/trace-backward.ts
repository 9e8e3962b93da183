import type { Graph, Tensor } from '../../engine/graph/tensor.js';
import { store } from '../../engine/store.js';
import { grad } from '../../kernels/common/grad.js';
import { LOSS_SCALE_STATE, lossScale } from '../../kernels/loss/loss-scale.js';
import { reshape } from '../../kernels/shape/reshape.js';
import { BEGINNING } from '../../losses/define/reference-loss.js';
import { traceBoundLoss } from '../../losses/define/trace-bound-loss.js';
import type { StepProgramOptions } from './step-options.js';
import { LOSS_ARENA } from './training-state-plan.js';

/** What the first half of a step needs to know. */
export type BackwardOptions = Pick<
  StepProgramOptions,
  'definition' | 'state' | 'recipe' | 'loss' | 'statistics' | 'batchSize' | 'imageShape'
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
 * Inputs: `images`, `targets`; `scheduled` and `dropoutSeed` where loss and network want them.
 * @param put how a gradient gets into its arena: `store`, or `addInto` to come on top of another batch's
 */
export function traceBackward(
  graph: Graph,
  options: BackwardOptions,
  put: (gradient: Tensor, target: Tensor) => void = store,
): Backward {
  const { definition, recipe, batchSize, imageShape, state } = options;
  const { trained, followed, holdsStatistics } = state.groups;
  const images = graph.input('images', [batchSize, ...imageShape]);
  const targets = graph.input('targets', [batchSize, definition.config.classes]);
  const { logits, observed } = definition.trace(graph, images, 'train', {
    holdsStatistics,
    ...(definition.usesDropout && { dropoutSeed: graph.input('dropoutSeed', [2], 'u32') }),
  });
  const loss = graph.scope('loss', () => {
    const { reduction } = recipe.loss;
    const bound = options.loss;
    const numbers = bound.schedule(BEGINNING).length;
    const scheduled = numbers > 0 ? graph.input('scheduled', [numbers]) : undefined;
    const kept = bound.kind === 'batch' ? bound.state(definition.config.classes) : [];
    const variables = kept.map(({ name, shape }) => [name, graph.variable(LOSS_ARENA, name, shape)] as const);
    return traceBoundLoss(bound, logits, targets, {
      reduction,
      scheduled,
      state: new Map(variables),
      ...options.statistics,
    });
  });
  // with respect to these only: what leads to frozen parameters alone is never computed
  const parameters = trained.map(({ name, shape }) => graph.variable('params', name, shape));
  const scale = readLossScale(graph, recipe);
  const gradients = grad(loss, parameters, scale && reshape(scale, loss.shape));
  for (const [i, { name, shape }] of trained.entries()) {
    const gradient = gradients[i];
    if (gradient) put(gradient, graph.variable('grads', name, shape));
  }
  for (const { name, shape } of followed) {
    const value = observed.get(name);
    if (!value) throw new RangeError(`the model observed nothing for its statistic "${name}"`);
    store(value, graph.variable('observed', name, shape));
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
