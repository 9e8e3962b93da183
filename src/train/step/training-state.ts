import { type Arena, type ArenaLayout, createArenas } from '../../engine/arena.js';
import { compile } from '../../engine/compile.js';
import type { Device } from '../../engine/device.js';
import { requireF16 } from '../../engine/graph/narrow.js';
import { at, Graph } from '../../engine/graph/tensor.js';
import type { Program } from '../../engine/run/program.js';
import { freshLossScale } from '../../kernels/loss/loss-scale.js';
import { copyAsF16 } from '../../kernels/optimizer/copy-as-f16.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import type { ModelDefinition } from '../../models/model.js';
import type { ArenaContent, SavedState } from '../run/saved-state.js';
import type { ParameterGroups } from './parameter-groups.js';
import {
  planTrainingState,
  type StateRecipe,
  TRANSIENT,
  type TrainingStatePlan,
} from './training-state-plan.js';

/**
 * Everything that lives on the device from step to step: parameters, running statistics, the optimizer's moments, and
 * the moving average of the first two. One arena each, all of a kind in the same layout.
 *
 * The average covers batch norm's running statistics as well, by the same decay: averaged weights with the statistics
 * of other weights would be another network. (timm's ModelEma does so too.)
 */
export class TrainingState implements TrainingStatePlan {
  readonly groups: ParameterGroups;
  readonly trainedLayout: ArenaLayout;
  readonly followedLayout: ArenaLayout;
  readonly arenas: Readonly<Record<string, Arena>>;
  /** Fills the f16 copy of the parameters, where there is one. */
  readonly #copier: Program | undefined;

  private constructor(
    plan: TrainingStatePlan,
    arenas: Readonly<Record<string, Arena>>,
    copier: Program | undefined,
  ) {
    this.groups = plan.groups;
    this.trainedLayout = plan.trainedLayout;
    this.followedLayout = plan.followedLayout;
    this.arenas = arenas;
    this.#copier = copier;
  }

  /**
   * All zero.
   * @throws OutOfMemoryError naming the arena; KernelError for `precision: f16` on a device without; ParameterPatternError
   */
  static async create(
    device: Device,
    definition: ModelDefinition,
    recipe: StateRecipe,
    loss?: BoundLoss,
  ): Promise<TrainingState> {
    if (recipe.precision === 'f16') requireF16(device);
    const plan = planTrainingState(definition, recipe, device.traits.maxBindingBytes, loss);
    const arenas = await createArenas(device, plan.arenas);
    const { params, halfParams } = arenas;
    const copier = params && halfParams && (await compileCopier(device, { params, halfParams }));
    return new TrainingState(plan, arenas, copier);
  }

  /** Sets the starting point: the average begins at the same values. */
  initialise(
    parameters: ReadonlyMap<string, Float32Array>,
    statistics: ReadonlyMap<string, Float32Array>,
  ): void {
    for (const [name, values] of parameters) {
      this.arena('params').write(name, values);
      this.arenas.average?.write(name, values);
    }
    for (const [name, values] of statistics) {
      this.arena('stats').write(name, values);
      this.arenas.averageStats?.write(name, values);
    }
    this.arenas.scaling?.write('lossScale', freshLossScale());
    this.#copier?.run();
  }

  /** All zero, as at first: to start anew after steps that must leave nothing behind. */
  clear(): void {
    for (const arena of Object.values(this.arenas)) arena.clear();
  }

  /** @throws RangeError when this run keeps no such arena */
  arena(name: string): Arena {
    const arena = this.arenas[name];
    if (!arena) throw new RangeError(`this run keeps no arena "${name}"`);
    return arena;
  }

  /** The weights and statistics to validate and save, as the arenas `params` and `stats` of an inference program. */
  weights(kind: 'average' | 'raw'): { params: Arena; stats: Arena } {
    return kind === 'average'
      ? { params: this.arena('average'), stats: this.arena('averageStats') }
      : { params: this.arena('params'), stats: this.arena('stats') };
  }

  /** What a saved state must hold: everything but what each step computes anew. */
  get contents(): ArenaContent[] {
    return Object.values(this.arenas)
      .filter(({ name }) => !TRANSIENT.has(name))
      .map((arena) => ({ ...contentOf(arena), read: () => ownValues(arena) }));
  }

  /** Takes all arenas from a saved state. @throws CheckpointError; the arenas are then in no defined state */
  async restore(saved: SavedState): Promise<void> {
    for (const arena of Object.values(this.arenas)) {
      if (TRANSIENT.has(arena.name)) continue;
      for (const [tensor, values] of await saved.tensors(contentOf(arena))) arena.write(tensor, values);
    }
    this.#copier?.run();
  }

  get bytes(): number {
    return Object.values(this.arenas).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  destroy(): void {
    this.#copier?.destroy();
    for (const arena of Object.values(this.arenas)) arena.destroy();
  }
}

function contentOf(arena: Arena): Omit<ArenaContent, 'read'> {
  const own = [...arena.layout.ranges.values()].filter(({ name }) => arena.owns(name));
  return { name: arena.name, shapes: new Map(own.map(({ name, shape }) => [name, shape])) };
}

async function ownValues(arena: Arena): Promise<ReadonlyMap<string, Float32Array>> {
  return new Map([...(await arena.readAll())].filter(([name]) => arena.owns(name)));
}

/** Fills the f16 copy of parameters once. */
export async function copyParameters(
  device: Device,
  { params, halfParams }: { readonly params: Arena; readonly halfParams: Arena },
): Promise<void> {
  const program = await compileCopier(device, { params, halfParams });
  program.run();
  await device.idle();
  program.destroy();
}

async function compileCopier(
  device: Device,
  arenas: { readonly params: Arena; readonly halfParams: Arena },
): Promise<Program> {
  const graph = new Graph();
  const { layout } = arenas.params;
  const copies = layout.shardVariables(graph, 'halfParams', 'f16');
  for (const [i, shard] of layout.shardVariables(graph, 'params').entries()) copyAsF16(at(copies, i), shard);
  return compile(device, { graph, arenas });
}
