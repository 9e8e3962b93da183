import { basename } from 'node:path';
import { isHubAddress } from '../../hub/hub-address.js';
import { isLossFile } from '../../recipe/loss-file.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { WORDS } from '../../recipe/recipe-zeroshot.js';
import { tailrayVersion } from '../../storage/version.js';
import type { CheckpointAbout } from '../../weights/checkpoint.js';
import type { Stage } from './stage-plan.js';

/** What a training run writes into its checkpoint's metadata: the whole recipe, and the classes and images of the stage. */
export function checkpointAbout({
  recipe,
  stage,
  ...rest
}: Pick<CheckpointAbout, 'model' | 'weights' | 'epoch' | 'step' | 'metrics'> & {
  recipe: Recipe;
  stage: Pick<Stage, 'recipe' | 'data' | 'seenBefore'>;
}): CheckpointAbout {
  const { data, seenBefore } = stage;
  return {
    ...rest,
    classes: [...data.classes],
    ...(seenBefore.length > 0 && { seenBefore: [...seenBefore] }),
    preprocessing: stage.recipe.preprocessing,
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
export function withoutPaths(recipe: Recipe): Record<string, unknown> {
  const unplaced = ({ path: _path, images: _images, ...data }: Recipe['data']) => data;
  const { weights, adapters: _adapters, ...network } = recipe.model;
  const model = weights !== undefined && isHubAddress(weights) ? { ...network, weights } : network;
  const named = (loss: Recipe['loss']) => ({
    ...loss,
    name: isLossFile(loss.name) ? basename(loss.name) : loss.name,
  });
  const stages = recipe.stages?.map((stage) => ({
    ...stage,
    ...(stage.loss && { loss: named(stage.loss) }),
    ...(stage.data && { data: unplaced(stage.data) }),
  }));
  const zeroshot = recipe.zeroshot && {
    unseen: recipe.zeroshot.unseen,
    texts: textsName(recipe.zeroshot.texts),
  };
  return {
    ...recipe,
    data: unplaced(recipe.data),
    model,
    loss: named(recipe.loss),
    ...(stages && { stages }),
    ...(zeroshot && { zeroshot }),
  };
}

function textsName(texts: string): string {
  return texts === WORDS || isHubAddress(texts) ? texts : basename(texts);
}
