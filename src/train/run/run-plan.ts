import { join, resolve } from 'node:path';
import { isHubAddress, parseHubAddress } from '../../hub/hub-address.js';
import { isLossFile, type LossFile, readLossFile } from '../../recipe/loss-file.js';
import { formatRecipe, parseRecipe, recipeDifferences, resolveRecipe } from '../../recipe/recipe.js';
import { RecipeError } from '../../recipe/recipe-error.js';
import { bindLossFile } from '../../recipe/recipe-loss.js';
import { mapPaths } from '../../recipe/recipe-paths.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { stageRecipes, withoutInheritedPlaces } from '../../recipe/recipe-stages.js';
import { sha256 } from '../../storage/content-digest.js';
import { readRegularText } from '../../storage/regular-file.js';
import { groupParameters } from '../step/parameter-groups.js';
import { modelToPlan } from '../step/trainer.js';
import { RunDirectory } from './run-directory.js';
import { ResumeError } from './training-error.js';

/** From what a person asks for to a complete recipe and the directory of the run; reads files, writes none. */
export interface RunRequest {
  /** Recipe file; may be left out to resume. */
  readonly recipe?: string | undefined;
  /** Changes such as `optimizer.lr=0.001`, applied in order. */
  readonly set?: readonly string[] | undefined;
  readonly seed?: number | undefined;
  /** A registered loss, or a file with one, instead of the recipe's. */
  readonly loss?: string | undefined;
  /** What training may take on the adapter, such as `4GiB`; may change when a run is resumed. */
  readonly memory?: string | undefined;
  /** What to do when a step is not finite; may change when a run is resumed. */
  readonly onDivergence?: Recipe['divergence']['action'] | undefined;
  /** Label table or folder, instead of the recipe's. */
  readonly data?: string | undefined;
  readonly images?: string | undefined;
  /** Use damaged pictures as far as they decode. */
  readonly lenient?: boolean | undefined;
  /** What to start from, instead of the recipe's `model.weights`. */
  readonly weights?: string | undefined;
  /** Whether the head comes from the weights, too, instead of the recipe's `model.weightsHead`. */
  readonly head?: 'keep' | 'reset' | undefined;
  /** Run directory; default `runs/<recipe's name>-seed<seed>`. */
  readonly out?: string | undefined;
  readonly resume?: boolean | undefined;
  /** Allow a directory that holds a run: it will be replaced. */
  readonly force?: boolean | undefined;
}

export interface RunPlan {
  readonly recipe: Recipe;
  readonly run: RunDirectory;
  /** Where the recipe names a file: the loss in it. */
  readonly lossFile?: LossFile | undefined;
  /** Whether the directory holds the run already, to go on with. */
  readonly resume: boolean;
  /** What the person should know. */
  readonly notes: readonly string[];
}

/**
 * @throws RecipeError; ModelError and ParameterPatternError for a network that there is not; RunDirectoryError when a run is in the way, or none is there to resume; ResumeError when the
 *   run to resume was begun with other settings
 */
export async function planRun(request: RunRequest): Promise<RunPlan> {
  const overrides = overridesOf(request);
  if (request.resume) return planResume(request, overrides);
  if (request.recipe === undefined) {
    throw new RecipeError('name a recipe with --recipe, such as recipes/quick.yaml.');
  }
  const { recipe, name } = await resolveRecipe(request.recipe, overrides);
  checkNetwork(recipe);
  const run = new RunDirectory(request.out ?? defaultFolder(name, recipe.seed));
  if (request.force) await run.traces();
  else await run.requireFree();
  return { ...(await completeRecipe(recipe)), run, resume: false, notes: [] };
}

async function planResume(request: RunRequest, overrides: readonly string[]): Promise<RunPlan> {
  const named = request.recipe === undefined ? undefined : await resolveRecipe(request.recipe, overrides);
  const out = request.out ?? (named && defaultFolder(named.name, named.recipe.seed));
  if (out === undefined) {
    throw new RecipeError('say which run to resume: --out with its directory, or --recipe as it was begun.');
  }
  const run = new RunDirectory(out);
  const recipe = await run.recipe();
  const wanted = named
    ? (await completeRecipe(named.recipe)).recipe
    : withAbsolutePaths(parseRecipe(formatRecipe(recipe), { path: out, overrides }));
  const differences = recipeDifferences(withoutInheritedPlaces(recipe), withoutInheritedPlaces(wanted));
  // a recipe file says nothing of data and weights that were named on the command line when the run began
  const unsaid = [
    ...(request.data === undefined ? ['data.path:'] : []),
    ...(request.images === undefined ? ['data.images:'] : []),
    ...(request.weights === undefined || sameRepository(recipe, wanted) ? ['model.weights:'] : []),
    ...(request.head === undefined ? ['model.weightsHead:'] : []),
    // results do not depend on it
    'memory:',
    // those so far don't depend on it
    'divergence.',
  ];
  const changed = differences.filter((text) => !unsaid.some((key) => text.startsWith(key)));
  if (changed.length > 0) {
    throw new ResumeError(
      `${out} was begun with other settings, so it can't be resumed with these: ${changed.join('; ')}. ` +
        'Leave them out to go on, or begin a new run with another --out.',
    );
  }
  return {
    recipe: { ...recipe, memory: wanted.memory ?? recipe.memory, divergence: wanted.divergence },
    run,
    lossFile: await run.lossFile(recipe),
    resume: true,
    notes: await lossFileNotes(recipe, run),
  };
}

/** Stands for the number of classes until the data are read; names of parameters do not depend on it. */
const ANY_CLASSES = 30;

/** What a network can say of a recipe before a picture is read: whether it exists, and has the parameters that are named. */
function checkNetwork(recipe: Recipe): void {
  for (const stage of stageRecipes(recipe)) {
    groupParameters(modelToPlan(stage, stage.data.classes?.length ?? ANY_CLASSES), stage.optimizer);
  }
}

function overridesOf({
  set = [],
  seed,
  loss,
  memory,
  onDivergence,
  data,
  images,
  lenient,
  weights,
  head,
}: RunRequest): string[] {
  return [
    ...set,
    ...(seed === undefined ? [] : [`seed=${seed}`]),
    ...(loss === undefined ? [] : [`loss.name=${JSON.stringify(loss)}`]),
    ...(memory === undefined ? [] : [`memory=${JSON.stringify(memory)}`]),
    ...(onDivergence === undefined ? [] : [`divergence.action=${onDivergence}`]),
    ...(data === undefined ? [] : [`data.path=${JSON.stringify(resolve(data))}`]),
    ...(images === undefined ? [] : [`data.images=${JSON.stringify(resolve(images))}`]),
    ...(lenient ? ['data.lenient=true'] : []),
    ...(weights === undefined ? [] : [`model.weights=${JSON.stringify(weights)}`]),
    ...(head === undefined ? [] : [`model.weightsHead=${head}`]),
  ];
}

function defaultFolder(name: string, seed: number): string {
  return join('runs', `${name}-seed${seed}`);
}

/** With the loss of its file, where it names one, and all of that one's parameters. @throws LossError, RecipeError */
export async function completeRecipe(given: Recipe): Promise<Pick<RunPlan, 'recipe' | 'lossFile'>> {
  const recipe = withAbsolutePaths(given);
  if (!isLossFile(recipe.loss.name)) return { recipe };
  const lossFile = await readLossFile(recipe.loss.name);
  const bind = (loss: Recipe['loss']) => (isLossFile(loss.name) ? bindLossFile(loss, lossFile) : loss);
  const stages = recipe.stages?.map((stage) => (stage.loss ? { ...stage, loss: bind(stage.loss) } : stage));
  return { recipe: { ...recipe, loss: bind(recipe.loss), ...(stages && { stages }) }, lossFile };
}

/** A run goes on with its copy of a loss file, whatever has become of the file. */
async function lossFileNotes({ loss }: Recipe, run: RunDirectory): Promise<string[]> {
  if (!isLossFile(loss.name)) return [];
  const text = await readRegularText(loss.name).catch(() => undefined);
  if (text !== undefined && (await sha256(text)) === loss.sha256) return [];
  const what = text === undefined ? "isn't there any more" : 'has changed since the run was begun';
  return [
    `WARNING: ${loss.name} ${what}: the run goes on with the copy it was begun with, ${run.lossCopy(loss.name)}.`,
  ];
}

/** Whether both start from the same file of a hub. The run's own recipe has the commit that its branch was then. */
function sameRepository(...recipes: readonly Recipe[]): boolean {
  const places = recipes.map(({ model: { weights = '' } }) => {
    if (!isHubAddress(weights)) return undefined;
    const { repo, file } = parseHubAddress(weights);
    return `${repo}:${file}`;
  });
  return places[0] !== undefined && new Set(places).size === 1;
}

/** So that a recipe means the same from any working directory. */
function withAbsolutePaths(recipe: Recipe): Recipe {
  return mapPaths(recipe, (path) => resolve(path));
}
