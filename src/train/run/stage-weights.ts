import { Random } from '../../engine/random.js';
import { initialParameters, initialStatistics, type ModelDefinition } from '../../models/model.js';
import { importTimm, type ModelWeights } from '../../models/weights/timm-weights.js';
import { readCheckpoint } from '../../weights/checkpoint.js';
import type { Trainer } from '../step/trainer.js';
import type { RunDirectory } from './run-directory.js';
import type { Stage } from './stage-plan.js';

/** What a stage starts from: weights of the stage before it, with a fresh head where the recipe says so. */
export async function stageWeights(
  { start, head, number, recipe }: Pick<Stage, 'start' | 'head' | 'number' | 'recipe'>,
  before: Trainer,
  run: Pick<RunDirectory, 'best'>,
): Promise<ModelWeights> {
  const definition = before.base;
  const weights =
    start === 'best'
      ? importTimm(definition, (await readCheckpoint(run.best)).tensors)
      : await before.weights();
  return head === 'reset'
    ? withFreshHead(definition, weights, stageSeed('head', recipe.seed, number))
    : weights;
}

/** The head's parameters and running statistics drawn anew, but for values that came from outside; the rest as it is. */
export function withFreshHead(
  definition: ModelDefinition,
  { parameters, statistics }: ModelWeights,
  seed: number,
): ModelWeights {
  const fresh = {
    parameters: initialParameters(definition, seed),
    statistics: initialStatistics(definition),
  };
  const chosen = (
    specs: readonly { readonly name: string; readonly group: 'backbone' | 'head'; readonly given?: true }[],
    kept: ReadonlyMap<string, Float32Array>,
    drawn: ReadonlyMap<string, Float32Array>,
  ) =>
    new Map(
      specs.flatMap(({ name, group, given }) => {
        const values = (group === 'head' && !given ? drawn : kept).get(name);
        return values === undefined ? [] : [[name, values] as const];
      }),
    );
  return {
    parameters: chosen(definition.parameters, parameters, fresh.parameters),
    statistics: chosen(definition.statistics, statistics, fresh.statistics),
  };
}

/** Another one than the run's own, so that a head or adapters are not those of the very start. */
export function stageSeed(part: 'head' | 'adapters', seed: number, stage: number): number {
  return new Random(seed, `${part} of stage`, stage).uint32();
}
