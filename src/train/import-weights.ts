import { TailrayError } from '../engine/errors.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { withoutAdapters } from '../models/model.js';
import { exportTimm } from '../models/weights/timm-weights.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { finalRecipe } from '../recipe/recipe-stages.js';
import { tailrayVersion } from '../storage/version.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { weightsFrom } from '../weights/initial-weights.js';
import { withoutPaths } from './run/checkpoint-about.js';
import { modelOf } from './step/trainer.js';

/** A recipe that does not say all that a checkpoint holds beside its weights. */
export class ImportError extends TailrayError {}

export interface ImportedWeights {
  readonly checkpoint: Checkpoint;
  /** What was taken from where, and what was changed, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * A checkpoint of weights that were trained elsewhere. Such a file says nothing of its classes and its preprocessing, so a
 * recipe says it: the network of its last stage, `data.classes` and `preprocessing`. Every tensor of the network must be
 * there and fit.
 * @param source a path, or `hf-hub:owner/name@revision:file`
 * @throws ImportError where the recipe names no classes; CheckpointError for weights that do not fit; HubError
 */
export async function importWeights(
  source: string,
  recipe: Recipe,
  hub?: HubOptions,
): Promise<ImportedWeights> {
  const last = finalRecipe(recipe);
  const { classes } = last.data;
  if (classes === undefined) {
    throw new ImportError(
      'data.classes is missing in the recipe: a file of weights does not name its classes. List them in the order of ' +
        'its outputs.',
    );
  }
  // adapters would be parameters that no file from elsewhere has
  const definition = withoutAdapters(modelOf(last, classes.length));
  const { preprocessing } = last;
  const weights = await weightsFrom(source, definition, { head: 'keep', seed: 0, preprocessing, hub });
  const about = {
    model: definition.config,
    classes: [...classes],
    preprocessing,
    weights: 'raw' as const,
    epoch: 0,
    step: 0,
    metrics: { mAP: null, auroc: null },
    prevalence: classes.map(() => null),
    recipe: withoutPaths(recipe),
    tailray: tailrayVersion,
  };
  return { checkpoint: { ...about, tensors: exportTimm(definition, weights) }, notes: weights.notes };
}
