import { isSection, mergeRecipe, settingOf } from './merge-recipe.js';
import { RecipeError } from './recipe-error.js';
import { type Recipe, STAGE_MODEL_SETTINGS, type StageRecipe } from './recipe-schema.js';

/**
 * `stages` of a recipe: what each says is put over the recipe's own sections, not over the stage before, so that a stage
 * can be read by itself. In a complete recipe the sections that a stage mentions are complete, too. Of the model, a stage
 * has what may differ over one backbone.
 */

/** What a stage says of itself; the rest of it are sections of a recipe. */
const OWN: ReadonlySet<string> = new Set<keyof StageRecipe>(['name', 'start', 'head']);

/** Puts the sections that stages mention over the recipe's. @param given plain data as read from YAML */
export function spreadStages(given: unknown): unknown {
  if (!isSection(given) || !Array.isArray(given.stages)) return given;
  const base = { ...given, ...('model' in given && { model: sharedWithStages(given.model) }) };
  const stages = given.stages.map((stage: unknown) => {
    if (!isSection(stage)) return stage;
    const entries = Object.entries(stage).map(([key, value]) =>
      OWN.has(key) ? [key, value] : [key, mergeRecipe(settingOf(base, key), value, key)],
    );
    return Object.fromEntries(entries);
  });
  return { ...given, stages };
}

/** Of the recipe's model, what stages have from it where they say nothing else. */
function sharedWithStages(model: unknown): unknown {
  if (!isSection(model)) return model;
  return Object.fromEntries(Object.entries(model).filter(([key]) => STAGE_MODEL_SETTINGS.includes(key)));
}

/** The recipe of each stage; a recipe without stages is its only one. */
export function stageRecipes({ stages, ...recipe }: Recipe): Recipe[] {
  return (stages ?? [{}]).map(({ model, ...stage }: Partial<StageRecipe>) => {
    const sections = Object.entries(stage).filter(([key, value]) => !OWN.has(key) && value !== undefined);
    return { ...recipe, ...Object.fromEntries(sections), model: { ...recipe.model, ...model } };
  });
}

/** The recipe of the last stage: of the network, the classes and the preprocessing that a run ends with. */
export function finalRecipe(recipe: Recipe): Recipe {
  return stageRecipes(recipe).at(-1) ?? recipe;
}

/**
 * The same recipe with the place of the data said once: stages that have it from the recipe leave it out, and get it back
 * when it is read. So `--data` moves the data of all of them.
 */
export function withoutInheritedPlaces(recipe: Recipe): Recipe {
  const { stages, data } = recipe;
  if (stages === undefined) return recipe;
  const own = (stage: StageRecipe): StageRecipe => {
    if (stage.data === undefined || stage.data.path !== data.path) return stage;
    const { path: _path, images, ...rest } = stage.data;
    return { ...stage, data: { ...rest, ...(images !== data.images && { images }) } };
  };
  return { ...recipe, stages: stages.map(own) };
}

/**
 * The recipe of one stage. @param wanted its name, or its number from 1
 * @throws RecipeError where there is none such
 */
export function recipeOfStage(recipe: Recipe, wanted: string): Recipe {
  const names = stageRecipes(recipe).map((_, i) => recipe.stages?.[i]?.name);
  const named = names.indexOf(wanted);
  const found = stageRecipes(recipe)[named >= 0 ? named : Number(wanted) - 1];
  if (found !== undefined) return found;
  const there = names.map((name, i) => (name === undefined ? String(i + 1) : `${i + 1} (${name})`));
  throw new RecipeError(`the recipe has no stage ${wanted}; there are ${there.join(', ')}.`);
}

/** Whether two stages train and validate on the same images and labels, so that their curves can be compared. */
export function shareData(a: Pick<Recipe, 'data'>, b: Pick<Recipe, 'data'>): boolean {
  return sameSettings(a.data, b.data);
}

/** Whether the weights of one stage can stand in for those of the other: the same network, on images prepared alike. */
export function shareNetwork(
  a: Pick<Recipe, 'data' | 'preprocessing' | 'model'>,
  b: Pick<Recipe, 'data' | 'preprocessing' | 'model'>,
): boolean {
  return (
    shareData(a, b) &&
    sameSettings(a.preprocessing, b.preprocessing) &&
    sameSettings(a.model.head, b.model.head)
  );
}

/** Of complete sections, whose settings stand in the order of their schema. */
function sameSettings(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
