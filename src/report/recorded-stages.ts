import type { Recipe } from '../recipe/recipe-schema.js';
import { shareData, stageRecipes } from '../recipe/recipe-stages.js';
import type { EpochLine, StepLine } from '../train/run/metrics-line.js';
import type { RunRecord } from './run-record.js';

/** The lines of metrics.jsonl by stage: other losses, rates and images of validation make other curves. */
export interface RecordedStage {
  readonly name: string | undefined;
  readonly recipe: Recipe;
  /** Epochs of the run before its first. */
  readonly firstEpoch: number;
  readonly steps: readonly StepLine[];
  readonly epochs: readonly EpochLine[];
}

type Lines = Pick<RunRecord, 'recipe' | 'steps' | 'epochs'>;

/** In their order; a run without stages is one. */
export function recordedStages({ recipe, steps, epochs }: Lines): RecordedStage[] {
  let before = 0;
  return stageRecipes(recipe).map((own, i) => {
    const mine = <Line extends { readonly stage?: number | undefined }>(lines: readonly Line[]) =>
      lines.filter(({ stage = 1 }) => stage === i + 1);
    const name = recipe.stages?.[i]?.name;
    const stage = { name, recipe: own, firstEpoch: before, steps: mine(steps), epochs: mine(epochs) };
    before += own.schedule.epochs;
    return stage;
  });
}

/** Stages in a row that are validated on the same images, as one curve each. */
export function validatedAlike(stages: readonly RecordedStage[]): RecordedStage[][] {
  const runs: RecordedStage[][] = [];
  for (const stage of stages) {
    const last = runs.at(-1);
    const before = last?.at(-1);
    if (last && before && shareData(before.recipe, stage.recipe)) last.push(stage);
    else runs.push([stage]);
  }
  return runs;
}

/** Images that the recorded epochs took. */
export function imagesTaken({ epochs, ...record }: Lines): number {
  return recordedStages({ epochs, ...record }).reduce((total, { recipe, epochs: own }) => {
    const ofStage = own.reduce((sum, line) => {
      const before = epochs[epochs.indexOf(line) - 1] ?? { step: 0, epoch: 0 };
      // a stage that ended early leaves out steps and epochs alike
      return sum + (line.step - before.step) / (line.epoch - before.epoch);
    }, 0);
    return total + ofStage * recipe.batchSize * recipe.accumulate;
  }, 0);
}
