import { Arena, ArenaLayout } from '../engine/arena.js';
import type { Device } from '../engine/device.js';
import type { Shape } from '../engine/tensor.js';
import type { ModelDefinition } from '../models/model.js';
import type { Recipe } from './recipe-schema.js';
import type { ArenaContent, SavedState } from './saved-state.js';

/**
 * Everything that lives on the device from step to step: parameters, running statistics, the optimizer's moments, and
 * the moving average of the first two. One arena each, all of a kind in the same layout.
 *
 * The average covers batch norm's running statistics as well, by the same decay: averaged weights with the statistics
 * of other weights would be another network. (timm's ModelEma does so too.)
 */
export class TrainingState {
  readonly parameterLayout: ArenaLayout;
  readonly statisticLayout: ArenaLayout;
  readonly #arenas: ReadonlyMap<ArenaName, Arena>;
  readonly #shapes: { readonly parameters: Shapes; readonly statistics: Shapes };

  private constructor(
    definition: ModelDefinition,
    layouts: { parameters: ArenaLayout; statistics: ArenaLayout },
    arenas: ReadonlyMap<ArenaName, Arena>,
  ) {
    this.parameterLayout = layouts.parameters;
    this.statisticLayout = layouts.statistics;
    this.#arenas = arenas;
    this.#shapes = {
      parameters: new Map(definition.parameters.map(({ name, shape }) => [name, shape])),
      statistics: new Map(definition.statistics.map(({ name, shape }) => [name, shape])),
    };
  }

  /** All zero. @throws OutOfMemoryError naming the arena */
  static async create(
    device: Device,
    definition: ModelDefinition,
    recipe: Pick<Recipe, 'optimizer' | 'ema'>,
  ): Promise<TrainingState> {
    const limit = device.traits.maxBindingBytes;
    const layouts = {
      parameters: new ArenaLayout(definition.parameters, limit),
      statistics: new ArenaLayout(definition.statistics, limit),
    };
    const arenas = new Map<ArenaName, Arena>();
    for (const name of arenaNames(recipe)) {
      const layout = STATISTICS.has(name) ? layouts.statistics : layouts.parameters;
      arenas.set(name, await Arena.create(device, name, layout));
    }
    return new TrainingState(definition, layouts, arenas);
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
      .filter(({ name }) => name !== 'grads' && name !== 'observed')
      .map((arena) => ({ ...this.#describe(arena.name), read: () => arena.readAll() }));
  }

  /** Takes all arenas from a saved state. @throws CheckpointError; the arenas are then in no defined state */
  async restore(saved: SavedState): Promise<void> {
    for (const { name } of this.contents) {
      const arena = this.#arenas.get(name as ArenaName);
      for (const [tensor, values] of await saved.tensors(this.#describe(name))) arena?.write(tensor, values);
    }
  }

  get bytes(): number {
    return [...this.#arenas.values()].reduce((sum, { layout }) => sum + layout.bytes, 0);
  }

  destroy(): void {
    for (const arena of this.#arenas.values()) arena.destroy();
  }

  #describe(name: string): { name: string; shapes: Shapes } {
    const shapes = STATISTICS.has(name) ? this.#shapes.statistics : this.#shapes.parameters;
    return { name, shapes };
  }
}

export type ArenaName =
  | 'params'
  | 'grads'
  | 'firstMoment'
  | 'secondMoment'
  | 'momentum'
  | 'average'
  | 'stats'
  | 'observed'
  | 'averageStats';

type Shapes = ReadonlyMap<string, Shape>;

/** Arenas in the layout of the running statistics; all others are in that of the parameters. */
const STATISTICS: ReadonlySet<string> = new Set<ArenaName>(['stats', 'observed', 'averageStats']);

function arenaNames({ optimizer, ema }: Pick<Recipe, 'optimizer' | 'ema'>): ArenaName[] {
  return [
    'params',
    'grads',
    ...(optimizer.name === 'adamw' ? (['firstMoment', 'secondMoment'] as const) : (['momentum'] as const)),
    'stats',
    'observed',
    ...(ema === false ? [] : (['average', 'averageStats'] as const)),
  ];
}
