import type { Device } from '../../engine/device.js';
import type { HubOptions } from '../../hub/hub-settings.js';
import type { ClassPrompts } from '../../models/heads/head.js';
import { CLASS_EMBEDDINGS } from '../../models/heads/projection.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { stageRecipes } from '../../recipe/recipe-stages.js';
import type { ZeroShotRecipe } from '../../recipe/recipe-zeroshot.js';
import { readRegularText } from '../../storage/regular-file.js';
import { trainedClasses } from '../../weights/trained-classes.js';
import { OUR_PROMPTS } from '../../zeroshot/our-prompts.js';
import { type PromptSet, parsePrompts, textsOf } from '../../zeroshot/prompts.js';
import { embedByFrozen, meanDirections, promptsOfClasses } from '../../zeroshot/texts/class-texts.js';
import type { TextTable } from '../../zeroshot/texts/text-table.js';
import { namesOfUnseen } from '../../zeroshot/unseen-names.js';
import type { Stage } from './stage-plan.js';
import { type TrainingData, TrainingDataError } from './training-data.js';

/**
 * A run that is declared zero-shot (`zeroshot` in its recipe): no label of an unseen finding reaches it, neither from a
 * table nor by weights that it starts from, and its head may compare images with texts.
 */
export interface ZeroShotRun {
  readonly unseen: readonly string[];
  /** The classes that the starting weights say they were trained on; null where they say nothing, or there are none. */
  readonly startedFrom: readonly string[] | null;
  /** Where the head reads texts. */
  readonly texts?: RunTexts | undefined;
}

export interface RunTexts {
  readonly prompts: PromptSet;
  /** The file of prompts: the run directory keeps a copy. */
  readonly source: string;
  /** Of the classes of each stage whose head reads texts, in their order. */
  readonly trained: readonly (ClassPrompts | undefined)[];
}

/** What a head with fixed class embeddings is given. */
export interface FixedTexts {
  /** All prompts of the set, for the run directory. */
  readonly table: TextTable;
  /** Of the head of each stage, by name; none where it is given none. */
  readonly parameters: readonly ReadonlyMap<string, Float32Array>[];
}

export interface ZeroShotOptions {
  /** The run's own copy of its prompts, to go on with; absent: the recipe's file. */
  readonly kept?: string | undefined;
  readonly hub?: HubOptions | undefined;
}

/**
 * Checks that nothing of the unseen findings is known, and reads the prompts where the head wants them.
 * @param data of each stage
 * @throws TrainingDataError where a table, or the weights that the run starts from, know labels of unseen findings;
 *   PromptError where a class has no prompts; CheckpointError, HubError
 */
export async function prepareZeroShot(
  recipe: Recipe,
  data: readonly Pick<TrainingData, 'path' | 'classes'>[],
  { kept, hub }: ZeroShotOptions,
): Promise<ZeroShotRun | undefined> {
  const { zeroshot, model } = recipe;
  if (zeroshot === undefined) return undefined;
  const { unseen } = zeroshot;
  for (const { path, classes } of data) {
    refuse(
      path,
      classes,
      zeroshot,
      'Name the other classes in data.classes, or take the columns out of the table.',
    );
  }
  const startedFrom = model.weights === undefined ? null : await trainedClasses(model.weights, hub);
  refuse(model.weights ?? '', startedFrom ?? [], zeroshot, 'Start from other weights.');
  const read = stageRecipes(recipe).map((stage, i) =>
    stage.model.head.name === 'projection' ? data[i]?.classes : undefined,
  );
  if (read.every((classes) => classes === undefined)) return { unseen, startedFrom };
  const file = kept ?? zeroshot.prompts ?? OUR_PROMPTS;
  const source = await readRegularText(file);
  const wanted = [...new Set([...read.flatMap((classes) => classes ?? []), ...unseen])];
  const prompts = await parsePrompts(source, file, { wanted });
  const trained = read.map((classes) => classes && promptsOfClasses(prompts, classes));
  return { unseen, startedFrom, texts: { prompts, source, trained } };
}

function refuse(place: string, classes: readonly string[], { unseen }: ZeroShotRecipe, advice: string): void {
  const named = namesOfUnseen(classes, unseen);
  if (named.length === 0) return;
  throw new TrainingDataError(
    `${place}: knows labels of ${named.join(', ')}, and the run is declared zero-shot for these (zeroshot.unseen). ${advice}`,
  );
}

/**
 * Embeds the prompts by a frozen encoder.
 * @param source see `embedByFrozen` @param stages in their order
 * @throws ClipError, TrainingDataError where the embeddings have another width than the head
 */
export async function embedFixedTexts(
  device: Device,
  { source, stages }: { readonly source: string; readonly stages: readonly Stage[] },
  texts: RunTexts,
  hub?: HubOptions,
): Promise<FixedTexts> {
  const table = await embedByFrozen(device, source, textsOf(texts.prompts), hub);
  const parameters = stages.map(({ recipe, prompts }) => {
    if (prompts === undefined) return new Map<string, Float32Array>();
    const { dims } = recipe.model.head;
    if (table.width !== dims) {
      throw new TrainingDataError(
        `${source}: gives texts ${table.width} values, the head compares ${dims}: set model.head.dims to ${table.width}.`,
      );
    }
    return new Map([[CLASS_EMBEDDINGS, meanDirections(table, prompts, source)]]);
  });
  return { table, parameters };
}
