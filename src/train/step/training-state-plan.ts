import { ArenaLayout, type ArenaOptions, ArenaPlan } from '../../engine/arena.js';
import { LOSS_SCALE_STATE } from '../../kernels/loss/loss-scale.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import type { ModelDefinition } from '../../models/model.js';
import { OptimizerError } from '../../optimizers/define/optimizer-error.js';
import { optimizerOf } from '../../recipe/recipe-optimizer.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { groupParameters, type ParameterGroups } from './parameter-groups.js';

/**
 * Which arenas a training keeps and how they lie, before any memory is taken: for the state that lives on a device, and
 * for knowing what a training would take.
 *
 * - `params`, their f16 copy `halfParams` (for the kernels of a mixed-precision step), their gradients `grads`, their moving
 *   average `average`, and the optimizer's own state (src/optimizers);
 * - the running statistics `stats`, what the last batch adds to them `observed`, their moving average `averageStats`;
 * - the loss scale of mixed precision, `scaling`, and what the loss keeps from step to step, `loss`.
 *
 * Frozen parameters and held statistics rest behind the others in shards of their own. They have neither gradients nor
 * moments, and the average reads them where the parameters are.
 */
export interface TrainingStatePlan {
  readonly groups: ParameterGroups;
  /** Of gradients and moments; the leading shards of the parameters are like it. */
  readonly trainedLayout: ArenaLayout;
  /** The statistics that follow the batches; the leading shards of all statistics are like it. */
  readonly followedLayout: ArenaLayout;
  /** By name, in an order in which those that rest in others come after them. */
  readonly arenas: Readonly<Record<string, ArenaPlan>>;
}

/** What decides the arenas of a training. */
export type StateRecipe = Pick<Recipe, 'optimizer' | 'ema' | 'precision'>;

/**
 * @param maxShardBytes the adapter's binding limit @param loss where it may keep something; absent: it doesn't
 * @throws ParameterPatternError; OutOfMemoryError for a tensor beyond it; OptimizerError
 */
export function planTrainingState(
  definition: ModelDefinition,
  { optimizer, ema, precision }: StateRecipe,
  maxShardBytes: number,
  loss?: BoundLoss,
): TrainingStatePlan {
  const groups = groupParameters(definition, optimizer);
  const parameters = new ArenaLayout(groups.trained, maxShardBytes, groups.frozen);
  const trained = new ArenaLayout(groups.trained, maxShardBytes);
  const statistics = new ArenaLayout(groups.followed, maxShardBytes, groups.held);
  const followed = new ArenaLayout(groups.followed, maxShardBytes);
  const arenas: Record<string, ArenaPlan> = {};
  const plan = (name: string, layout: ArenaLayout, options: ArenaOptions = {}) => {
    if (arenas[name])
      throw new OptimizerError(`optimizer "${optimizer.name}": its state may not be called ${name}`);
    arenas[name] = new ArenaPlan(name, layout, options);
    return arenas[name];
  };
  const params = plan('params', parameters);
  plan('grads', trained);
  for (const name of optimizerOf(optimizer).state) plan(name, trained);
  const stats = plan('stats', statistics);
  plan('observed', followed);
  if (ema !== false) {
    plan('average', parameters, { restsIn: params });
    plan('averageStats', statistics, { restsIn: stats });
  }
  if (precision === 'f16') {
    plan('halfParams', parameters, { dtype: 'f16' });
    plan('scaling', new ArenaLayout([LOSS_SCALE], maxShardBytes));
  }
  const kept = loss?.kind === 'batch' ? loss.state(definition.config.classes) : [];
  if (kept.length > 0) {
    const tensors = kept.map((tensor) => ({ ...tensor, dtype: 'f32' as const }));
    plan(LOSS_ARENA, new ArenaLayout(tensors, maxShardBytes));
  }
  return { groups, trainedLayout: trained, followedLayout: followed, arenas };
}

const LOSS_SCALE = { name: 'lossScale', shape: [LOSS_SCALE_STATE], dtype: 'f32' } as const;

/** The arena of what a loss keeps. */
export const LOSS_ARENA = 'loss';

/** Arenas that each step, or the start, computes anew: a saved state need not hold them. */
export const TRANSIENT: ReadonlySet<string> = new Set(['grads', 'observed', 'halfParams']);
