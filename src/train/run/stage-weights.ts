import { Random } from '../../engine/random.js';
import { initialParameters, initialStatistics, type ModelDefinition } from '../../models/model.js';
import type { PositionGrid } from '../../models/position-grid.js';
import type { SafetensorsTensor } from '../../models/safetensors/safetensors.js';
import { fitWeights } from '../../models/weights/fit-weights.js';
import { resampleGrid } from '../../models/weights/positions.js';
import { exportTimm, importTimm, type ModelWeights } from '../../models/weights/timm-weights.js';
import { readCheckpoint } from '../../weights/checkpoint.js';
import type { Trainer } from '../step/trainer.js';
import type { RunDirectory } from './run-directory.js';
import type { Stage } from './stage-plan.js';

/** What a stage takes over from the one before it. */

/** A network without adapters, and its weights. */
export interface WeightsOf {
  readonly definition: ModelDefinition;
  readonly weights: ModelWeights;
}

/** The weights of the stage before that a stage starts from. */
export async function weightsBefore(
  { start }: Pick<Stage, 'start'>,
  before: Trainer,
  run: Pick<RunDirectory, 'best'>,
): Promise<WeightsOf> {
  const definition = before.base;
  const weights =
    start === 'best'
      ? importTimm(definition, (await readCheckpoint(run.best)).tensors)
      : await before.weights();
  return { definition, weights };
}

export interface HandOver {
  readonly head: Stage['head'];
  /** Of a head that starts afresh. */
  readonly seed: number;
}

/**
 * Weights for the network of the next stage, which may see images of another size and have another head: the backbone's
 * are those of the stage before (its last norm too, which timm calls `head.norm` in a ConvNeXt), position embeddings resized
 * to its grid; the head's are kept or drawn anew. Values of the head that came from outside stay where they fit.
 * @returns what was changed on the way, a sentence each, beside them
 * @throws WeightsError where the backbones are of two kinds
 */
export function weightsForStage(
  next: ModelDefinition,
  before: WeightsOf,
  { head, seed }: HandOver,
): ModelWeights & { readonly notes: readonly string[] } {
  const resized = resizedPositions(next, before);
  const backbone = fitWeights(ofGroup(next, 'backbone'), resized.tensors, { head: 'keep', seed });
  const own = ofGroup(next, 'head');
  const fresh = { parameters: initialParameters(own, seed), statistics: initialStatistics(own) };
  const values = (kind: 'parameters' | 'statistics', name: string, size: number, given = false) => {
    const drawn = fresh[kind].get(name);
    const kept = before.weights[kind].get(name);
    return head === 'keep' || (given && kept?.length === size) ? (kept ?? drawn) : drawn;
  };
  const merged = (kind: 'parameters' | 'statistics') =>
    new Map(
      next[kind].map((spec) => {
        const { name, group } = spec;
        const found =
          group === 'backbone'
            ? backbone[kind].get(name)
            : values(kind, name, fresh[kind].get(name)?.length ?? 0, 'given' in spec && spec.given === true);
        if (found === undefined) throw new RangeError(`there are no values for ${name}`);
        return [name, found] as const;
      }),
    );
  return {
    parameters: merged('parameters'),
    statistics: merged('statistics'),
    notes: [...resized.notes, ...backbone.notes],
  };
}

/** The backbone's tensors, with positions for the patches that the next stage sees. */
function resizedPositions(
  next: ModelDefinition,
  { definition, weights }: WeightsOf,
): { tensors: Map<string, SafetensorsTensor>; notes: string[] } {
  const tensors = exportTimm(ofGroup(definition, 'backbone'), weights);
  const notes: string[] = [];
  const grids = new Map(next.parameters.map(({ name, positions }) => [name, positions]));
  for (const { name, positions: from } of definition.parameters) {
    const [tensor, to] = [tensors.get(name), grids.get(name)];
    if (!tensor || !from || !to || sameGrid(from, to)) continue;
    tensors.set(name, resampleGrid(tensor, { prefix: from.prefix, from, to }));
    notes.push(`${name} of ${from.rows} × ${from.columns} patches is resized to ${to.rows} × ${to.columns}.`);
  }
  return { tensors, notes };
}

function sameGrid(a: PositionGrid, b: PositionGrid): boolean {
  return a.rows === b.rows && a.columns === b.columns;
}

/** The same network without the tensors of its other part. */
function ofGroup(definition: ModelDefinition, part: 'backbone' | 'head'): ModelDefinition {
  return {
    ...definition,
    parameters: definition.parameters.filter(({ group }) => group === part),
    statistics: definition.statistics.filter(({ group }) => group === part),
  };
}

/** Another one than the run's own, so that a head or adapters are not those of the very start. */
export function stageSeed(part: 'head' | 'adapters', seed: number, stage: number): number {
  return new Random(seed, `${part} of stage`, stage).uint32();
}
