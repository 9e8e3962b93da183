import { Arena, ArenaLayout } from '../engine/arena.js';
import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { requireF16 } from '../engine/narrow.js';
import type { Program } from '../engine/program.js';
import { Graph } from '../engine/tensor.js';
import { halveInto } from '../kernels/halve.js';
import { freshLossScale, LOSS_SCALE_STATE } from '../kernels/loss-scale.js';
import type { ModelDefinition } from '../models/model.js';
import { groupParameters, type ParameterGroups } from './parameter-groups.js';
import type { Recipe } from './recipe-schema.js';
import type { ArenaContent, SavedState } from './saved-state.js';

/**
 * Everything that lives on the device from step to step: parameters, running statistics, the optimizer's moments, and
 * the moving average of the first two. One arena each, all of a kind in the same layout.
 *
 * The average covers batch norm's running statistics as well, by the same decay: averaged weights with the statistics
 * of other weights would be another network. (timm's ModelEma does so too.)
 *
 * Frozen parameters and held statistics rest behind the others in shards of their own. They have neither gradients nor
 * moments, and the average reads them where the parameters are.
 */
export class TrainingState {
  readonly groups: ParameterGroups;
  /** Of gradients and moments; the leading shards of the parameters are like it. */
  readonly trainedLayout: ArenaLayout;
  /** The statistics that follow the batches; the leading shards of all statistics are like it. */
  readonly followedLayout: ArenaLayout;
  readonly #arenas: ReadonlyMap<ArenaName, Arena>;
  /** Fills the f16 copy from the parameters. */
  readonly #halver: Program | undefined;

  private constructor(
    groups: ParameterGroups,
    layouts: Pick<Layouts, 'trained' | 'followed'>,
    arenas: ReadonlyMap<ArenaName, Arena>,
    halver: Program | undefined,
  ) {
    this.groups = groups;
    this.trainedLayout = layouts.trained;
    this.followedLayout = layouts.followed;
    this.#arenas = arenas;
    this.#halver = halver;
  }

  /**
   * All zero.
   * @throws OutOfMemoryError naming the arena; KernelError for `precision: f16` on a device without; ParameterPatternError
   */
  static async create(
    device: Device,
    definition: ModelDefinition,
    recipe: Pick<Recipe, 'optimizer' | 'ema' | 'precision'>,
  ): Promise<TrainingState> {
    if (recipe.precision === 'f16') requireF16(device);
    const groups = groupParameters(definition, recipe.optimizer);
    const layouts = layoutsOf(groups, device.traits.maxBindingBytes);
    const arenas = new Map<ArenaName, Arena>();
    for (const name of arenaNames(recipe)) {
      const { layout, restsIn, dtype = 'f32' } = ARENAS[name];
      const keeper = restsIn && arenas.get(restsIn);
      arenas.set(
        name,
        await Arena.create(device, name, layouts[layout], { dtype, ...(keeper && { restsIn: keeper }) }),
      );
    }
    const halver = arenas.has('halfParams') ? await compileHalver(device, arenas) : undefined;
    return new TrainingState(groups, layouts, arenas, halver);
  }

  /** Sets the starting point: the average begins at the same values. */
  initialise(
    parameters: ReadonlyMap<string, Float32Array>,
    statistics: ReadonlyMap<string, Float32Array>,
  ): void {
    for (const [name, values] of parameters) {
      this.arena('params').write(name, values);
      this.#arenas.get('average')?.write(name, values);
    }
    for (const [name, values] of statistics) {
      this.arena('stats').write(name, values);
      this.#arenas.get('averageStats')?.write(name, values);
    }
    this.#arenas.get('scaling')?.write('lossScale', freshLossScale());
    this.#halver?.run();
  }

  /** @throws RangeError when this run keeps no such arena */
  arena(name: ArenaName): Arena {
    const arena = this.#arenas.get(name);
    if (!arena) throw new RangeError(`this run keeps no arena "${name}"`);
    return arena;
  }

  has(name: ArenaName): boolean {
    return this.#arenas.has(name);
  }

  /** All arenas, as `compile` takes them. */
  get arenas(): Readonly<Record<string, Arena>> {
    return Object.fromEntries(this.#arenas);
  }

  /** The weights and statistics to evaluate or keep, as the arenas `params` and `stats` of an inference program. */
  weights(kind: 'average' | 'raw'): { params: Arena; stats: Arena } {
    return kind === 'average'
      ? { params: this.arena('average'), stats: this.arena('averageStats') }
      : { params: this.arena('params'), stats: this.arena('stats') };
  }

  /** What a saved state must hold: everything but what each step computes anew. */
  get contents(): ArenaContent[] {
    return [...this.#arenas.values()]
      .filter(({ name }) => !TRANSIENT.has(name))
      .map((arena) => ({ ...contentOf(arena), read: () => ownValues(arena) }));
  }

  /** Takes all arenas from a saved state. @throws CheckpointError; the arenas are then in no defined state */
  async restore(saved: SavedState): Promise<void> {
    for (const arena of this.#arenas.values()) {
      if (TRANSIENT.has(arena.name)) continue;
      for (const [tensor, values] of await saved.tensors(contentOf(arena))) arena.write(tensor, values);
    }
    this.#halver?.run();
  }

  get bytes(): number {
    return [...this.#arenas.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  destroy(): void {
    this.#halver?.destroy();
    for (const arena of this.#arenas.values()) arena.destroy();
  }
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

/** Arenas that each step, or the start, computes anew. */
const TRANSIENT: ReadonlySet<string> = new Set<ArenaName>(['grads', 'observed', 'halfParams']);

function arenaNames({
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

function contentOf(arena: Arena): Omit<ArenaContent, 'read'> {
  const own = [...arena.layout.ranges.values()].filter(({ name }) => arena.owns(name));
  return { name: arena.name, shapes: new Map(own.map(({ name, shape }) => [name, shape])) };
}

async function ownValues(arena: Arena): Promise<ReadonlyMap<string, Float32Array>> {
  return new Map([...(await arena.readAll())].filter(([name]) => arena.owns(name)));
}

async function compileHalver(device: Device, arenas: ReadonlyMap<ArenaName, Arena>): Promise<Program> {
  const graph = new Graph();
  for (const [shard, elements] of (arenas.get('params')?.layout.shards ?? []).entries()) {
    const name = ArenaLayout.shardName(shard);
    halveInto(
      graph.variable('halfParams', name, [elements], 'f16'),
      graph.variable('params', name, [elements]),
    );
  }
  return compile(device, { graph, arenas: Object.fromEntries(arenas) });
}
