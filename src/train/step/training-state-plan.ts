import { ArenaLayout, ArenaPlan } from '../../engine/arena.js';
import { LOSS_SCALE_STATE } from '../../kernels/loss/loss-scale.js';
import type { ModelDefinition } from '../../models/model.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { groupParameters, type ParameterGroups } from './parameter-groups.js';

/**
 * Which arenas a training keeps and how they lie, before any memory is taken: for the state that lives on a device, and
 * for knowing what a training would take.
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
  readonly arenas: Readonly<Partial<Record<ArenaName, ArenaPlan>>>;
}

/** What decides the arenas of a training. */
export type StateRecipe = Pick<Recipe, 'optimizer' | 'ema' | 'precision'>;

/** @param maxShardBytes the adapter's binding limit @throws ParameterPatternError; OutOfMemoryError for a tensor beyond it */
export function planTrainingState(
  definition: ModelDefinition,
  recipe: StateRecipe,
  maxShardBytes: number,
): TrainingStatePlan {
  const groups = groupParameters(definition, recipe.optimizer);
  const layouts = layoutsOf(groups, maxShardBytes);
  const arenas: Partial<Record<ArenaName, ArenaPlan>> = {};
  for (const name of arenaNames(recipe)) {
    const { layout, dtype = 'f32' } = ARENAS[name];
    const keeper = keeperOf(name, arenas);
    arenas[name] = new ArenaPlan(name, layouts[layout], { dtype, ...(keeper && { restsIn: keeper }) });
  }
  return { groups, trainedLayout: layouts.trained, followedLayout: layouts.followed, arenas };
}

/** The one of `arenas` that keeps what never changes for arena `name`, too. */
export function keeperOf<A>(name: ArenaName, arenas: Readonly<Partial<Record<ArenaName, A>>>): A | undefined {
  const { restsIn } = ARENAS[name];
  return restsIn && arenas[restsIn];
}

export type ArenaName =
  | 'params'
  /** The parameters as f16, for the kernels of a mixed-precision step. */
  | 'halfParams'
  | 'grads'
  | 'firstMoment'
  | 'secondMoment'
  | 'momentum'
  | 'average'
  | 'stats'
  | 'observed'
  | 'averageStats'
  /** The loss scale of mixed precision. */
  | 'scaling';

interface Layouts {
  readonly parameters: ArenaLayout;
  readonly trained: ArenaLayout;
  readonly statistics: ArenaLayout;
  readonly followed: ArenaLayout;
  readonly scaling: ArenaLayout;
}

interface ArenaKind {
  readonly layout: keyof Layouts;
  readonly dtype?: 'f16';
  /** The arena that keeps what never changes for this one, too. */
  readonly restsIn?: ArenaName;
}

const ARENAS: Readonly<Record<ArenaName, ArenaKind>> = {
  params: { layout: 'parameters' },
  halfParams: { layout: 'parameters', dtype: 'f16' },
  grads: { layout: 'trained' },
  firstMoment: { layout: 'trained' },
  secondMoment: { layout: 'trained' },
  momentum: { layout: 'trained' },
  average: { layout: 'parameters', restsIn: 'params' },
  stats: { layout: 'statistics' },
  observed: { layout: 'followed' },
  averageStats: { layout: 'statistics', restsIn: 'stats' },
  scaling: { layout: 'scaling' },
};

function layoutsOf({ trained, frozen, followed, held }: ParameterGroups, limit: number): Layouts {
  return {
    parameters: new ArenaLayout(trained, limit, frozen),
    trained: new ArenaLayout(trained, limit),
    statistics: new ArenaLayout(followed, limit, held),
    followed: new ArenaLayout(followed, limit),
    scaling: new ArenaLayout([{ name: 'lossScale', shape: [LOSS_SCALE_STATE], dtype: 'f32' }], limit),
  };
}

/** In an order in which those that rest in others come after them. */
export function arenaNames({
  optimizer,
  ema,
  precision,
}: Pick<Recipe, 'optimizer' | 'ema' | 'precision'>): ArenaName[] {
  return [
    'params',
    'grads',
    ...(optimizer.name === 'adamw' ? (['firstMoment', 'secondMoment'] as const) : (['momentum'] as const)),
    'stats',
    'observed',
    ...(ema === false ? [] : (['average', 'averageStats'] as const)),
    ...(precision === 'f16' ? (['halfParams', 'scaling'] as const) : []),
  ];
}
