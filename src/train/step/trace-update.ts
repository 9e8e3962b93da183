import type { DeviceTraits, Graph, Tensor } from '../../engine/graph/tensor.js';
import { store } from '../../engine/store.js';
import { updateLossScale } from '../../kernels/loss/loss-scale.js';
import { copyAsF16 } from '../../kernels/optimizer/copy-as-f16.js';
import { buildDecayTable } from '../../kernels/optimizer/decay-table.js';
import { follow } from '../../kernels/optimizer/follow.js';
import { clipFactor, gradientNorm } from '../../kernels/optimizer/gradient-norm.js';
import { div, fullLike } from '../../kernels/pointwise/pointwise-table.js';
import { optimizerOf } from '../../recipe/recipe-optimizer.js';
import { momentumOf } from './micro-batches.js';
import type { StepProgramOptions } from './step-options.js';
import { lossScaleState, readLossScale } from './trace-backward.js';

/** What the second half of a step needs to know. */
export type UpdateOptions = Pick<StepProgramOptions, 'state' | 'recipe'>;

export interface Update {
  /** L2 norm of the whole gradient before clipping. */
  readonly norm: Tensor;
  /** In mixed precision: the loss scale that the gradients were multiplied by. */
  readonly scale: Tensor | undefined;
}

/**
 * The second half of a step: from the gradients in the arena `grads` to their norm and its clipping, the optimizer, the
 * moving average, the running statistics (which follow what `observed` holds) and the next loss scale. A gradient that is
 * not finite changes nothing but that scale.
 *
 * Inputs: `hyper`; `averageWeight` where averaged statistics follow.
 * @param scale the loss scale, where this graph has read it already: in the same graph as the first half
 */
export function traceUpdate(
  graph: Graph,
  options: UpdateOptions,
  traits: Pick<DeviceTraits, 'maxBindings'>,
  scale = readLossScale(graph, options.recipe),
): Update {
  const { recipe, state } = options;
  const norm = graph.scope('norm', () => {
    const scaled = gradientNorm(state.trainedLayout.shardVariables(graph, 'grads'));
    return scale ? div(scaled, scale) : scaled;
  });
  const { clipNorm } = recipe.optimizer;
  const clip = graph.scope('clip', () => {
    const factor = clipFactor(norm, clipNorm === false ? undefined : clipNorm);
    return scale ? div(factor, scale) : factor;
  });
  graph.scope('optimizer', () => traceOptimizer(graph, clip, options, traits));
  graph.scope('statistics', () => traceStatistics(graph, clip, options));
  if (recipe.accumulate > 1) graph.scope('clear', () => traceClearing(graph, options));
  const scaling = lossScaleState(graph, recipe);
  if (scaling) graph.scope('scaling', () => updateLossScale(scaling, clip));
  return { norm, scale };
}

function traceOptimizer(
  graph: Graph,
  clip: Tensor,
  { recipe, state }: UpdateOptions,
  { maxBindings }: Pick<DeviceTraits, 'maxBindings'>,
): void {
  const optimizer = optimizerOf(recipe.optimizer);
  const layout = state.trainedLayout;
  const hyper = graph.input('hyper', [optimizer.hyperLength]);
  const whole = (arena: string) => layout.shardVariables(graph, arena);
  const [params, grads, average] = [
    whole('params'),
    whole('grads'),
    recipe.ema === false ? [] : whole('average'),
  ];
  const copies = recipe.precision === 'f16' ? layout.shardVariables(graph, 'halfParams', 'f16') : [];
  const states = optimizer.state.map((name) => [name, whole(name)] as const);
  // WebGPU promises eight storage buffers; AdamW with average and copy wants nine
  const operands = 5 + optimizer.state.length + (recipe.ema === false ? 0 : 1) + 1;
  const copyInPlace = operands <= maxBindings;
  for (const [i, table] of buildDecayTable(layout, state.groups.decayRules).entries()) {
    const [shard, gradient, copy] = [params[i], grads[i], copies[i]];
    if (!shard || !gradient) continue;
    optimizer.update({
      params: shard,
      state: Object.fromEntries(states.flatMap(([name, shards]) => (shards[i] ? [[name, shards[i]]] : []))),
      grads: gradient,
      table: graph.constant(table, [table.length / 2, 2]),
      hyper,
      clip,
      average: average[i],
      copy: copyInPlace ? copy : undefined,
    });
    if (copy && !copyInPlace) copyAsF16(copy, shard);
  }
}

/** The next step's batches are added to nothing, even where one of this step's was not finite. */
function traceClearing(graph: Graph, { state }: UpdateOptions): void {
  const shards = [
    ...state.trainedLayout.shardVariables(graph, 'grads'),
    ...(state.groups.followed.length > 0 ? state.followedLayout.shardVariables(graph, 'observed') : []),
  ];
  for (const shard of shards) store(fullLike(shard, 0), shard);
}

/** Running statistics follow the batch's, and the averaged ones follow the running ones. */
function traceStatistics(graph: Graph, gate: Tensor, { recipe, state }: UpdateOptions): void {
  if (state.groups.followed.length === 0) return;
  const whole = (arena: string) => state.followedLayout.shardVariables(graph, arena);
  const [running, seen] = [whole('stats'), whole('observed')];
  for (const [i, shard] of running.entries()) {
    const source = seen[i];
    if (source) follow(shard, source, momentumOf(recipe.accumulate), gate);
  }
  if (recipe.ema === false) return;
  const weight = graph.input('averageWeight', [1]);
  for (const [i, shard] of whole('averageStats').entries()) {
    const source = running[i];
    if (source) follow(shard, source, weight, gate);
  }
}
