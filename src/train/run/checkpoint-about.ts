import { basename } from 'node:path';
import { isHubAddress } from '../../hub/hub-address.js';
import { isLossFile } from '../../recipe/loss-file.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { WORDS } from '../../recipe/recipe-zeroshot.js';
import { tailrayVersion } from '../../storage/version.js';
import type { CheckpointAbout } from '../../weights/checkpoint.js';
import type { TrainingData } from './training-data.js';

/** What a training run writes into its checkpoint's metadata. */
export function checkpointAbout({
  recipe,
  data,
  ...rest
}: Pick<CheckpointAbout, 'model' | 'weights' | 'epoch' | 'step' | 'metrics'> & {
  recipe: Recipe;
  data: Pick<TrainingData, 'classes' | 'positives' | 'known' | 'simulated'>;
}): CheckpointAbout {
  return {
    ...rest,
    classes: [...data.classes],
    preprocessing: recipe.preprocessing,
    prevalence: data.positives.map((count, c) => {
      const known = data.known[c] ?? 0;
      return known > 0 ? count / known : null;
    }),
    simulated: data.simulated,
    recipe: withoutPaths(recipe),
    tailray: tailrayVersion,
  };
}

/** Paths are of one machine: they would make equal trainings differ, and tell strangers about folders. */
function withoutPaths(recipe: Recipe): Record<string, unknown> {
  const { path: _path, images: _images, ...data } = recipe.data;
  const { weights, adapters: _adapters, ...network } = recipe.model;
  const model = weights !== undefined && isHubAddress(weights) ? { ...network, weights } : network;
  const named = (loss: Recipe['loss']) => ({
    ...loss,
    name: isLossFile(loss.name) ? basename(loss.name) : loss.name,
  });
  const stages = recipe.stages?.map((stage) => (stage.loss ? { ...stage, loss: named(stage.loss) } : stage));
  const zeroshot = recipe.zeroshot && {
    unseen: recipe.zeroshot.unseen,
    texts: textsName(recipe.zeroshot.texts),
  };
  return {
    ...recipe,
    data,
    model,
    loss: named(recipe.loss),
    ...(stages && { stages }),
    ...(zeroshot && { zeroshot }),
  };
}

function textsName(texts: string): string {
  return texts === WORDS || isHubAddress(texts) ? texts : basename(texts);
}
