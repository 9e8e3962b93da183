import { basename } from 'node:path';
import { isNode, LineCounter, parseDocument, stringify } from 'yaml';
import { RegularFileError, readRegularText } from '../storage/regular-file.js';
import { isLossFile } from './loss-file.js';
import { RecipeError } from './recipe-error.js';
import { checkHead } from './recipe-head.js';
import { imageSizeIssues, spreadImageSize } from './recipe-image-size.js';
import { type RecipeIssue, recipeIssues } from './recipe-issues.js';
import { bindLoss } from './recipe-loss.js';
import { bindOptimizer } from './recipe-optimizer.js';
import { applyOverrides, type Override, parseOverride } from './recipe-overrides.js';
import { type Recipe, recipeSchema, type StageRecipe } from './recipe-schema.js';
import { spreadStages } from './recipe-stages.js';

/**
 * From a YAML file and the changes on the command line to a complete recipe. What comes out is what the run directory
 * keeps as recipe.yaml, and reading that file again gives the same recipe.
 */
export interface ResolvedRecipe {
  readonly recipe: Recipe;
  /** The recipe's own name, else its file's without extension. */
  readonly name: string;
}

/**
 * Reads a recipe file and fills in every default.
 * @param overrides texts such as `optimizer.lr=0.001`, applied in order
 * @throws RecipeError naming the file, the line and the setting, with the nearest known name for an unknown one
 */
export async function resolveRecipe(
  path: string,
  overrides: readonly string[] = [],
): Promise<ResolvedRecipe> {
  let text: string;
  try {
    text = await readRegularText(path);
  } catch (error) {
    if (!(error instanceof RegularFileError)) throw error;
    const reason = error.code === 'ENOENT' ? 'there is no such recipe.' : error.reason;
    throw new RecipeError(`${path}: ${reason}`, { cause: error });
  }
  const recipe = parseRecipe(text, { path, overrides });
  return { recipe, name: recipe.name ?? basename(path).replace(/\.ya?ml$/i, '') };
}

/**
 * The same from a text. `path` is for messages.
 * @throws RecipeError
 */
export function parseRecipe(
  text: string,
  { path, overrides = [] }: { path: string; overrides?: readonly string[] },
): Recipe {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken) throw new RecipeError(`${path}: not valid YAML: ${broken.message.split('\n')[0]}`);
  const changes = overrides.map(parseOverride);
  const given = applyOverrides(document.toJS() ?? {}, changes);
  const checked = check(given);
  if ('recipe' in checked) return checked.recipe;
  const place = (issue: RecipeIssue): string => {
    const change = changes.findLast((override) => isInside(issue.path, override.path));
    if (change) return `--set ${change.text}`;
    const line = lineOf(document, lines, issue.path);
    return line === undefined ? path : `${path}, line ${line}`;
  };
  const sentences = checked.issues.map((issue) => {
    const setting = issue.path.join('.');
    return `${place(issue)}: ${setting === '' ? '' : `${setting}: `}${issue.message}.`;
  });
  throw new RecipeError(sentences.join('\n'));
}

/** The recipe as a YAML text; `parseRecipe` gives it back. */
export function formatRecipe(recipe: Recipe): string {
  return stringify(recipe, { lineWidth: 0, flowCollectionPadding: false });
}

/** Settings in which two recipes differ, as `optimizer.lr: 0.001 → 0.01`. */
export function recipeDifferences(from: Recipe, to: Recipe): string[] {
  const before = flatten(from);
  const after = flatten(to);
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => `${key}: ${before.get(key) ?? 'absent'} → ${after.get(key) ?? 'absent'}`);
}

function check(given: unknown): { recipe: Recipe } | { issues: RecipeIssue[] } {
  const spread = spreadStages(given);
  const parsed = recipeSchema.safeParse(spreadImageSize(spread));
  if (!parsed.success) return { issues: recipeIssues(parsed.error, spread) };
  const { imageSize, ...model } = parsed.data.model;
  const bound = bindLoss(parsed.data.loss);
  const optimized = bindOptimizer(parsed.data.optimizer);
  const checked = checkHead(model.head);
  const staged = bindStages(parsed.data);
  const issues = [
    ...imageSizeIssues(imageSize, parsed.data.preprocessing.size),
    ...('issues' in bound ? bound.issues : []),
    ...('issues' in optimized ? optimized.issues : []),
    ...('issues' in checked ? checked.issues : []),
    ...('issues' in staged ? staged.issues : []),
  ];
  if ('issues' in bound || 'issues' in optimized || 'issues' in checked || 'issues' in staged)
    return { issues };
  if (issues.length > 0) return { issues };
  const { stages } = staged;
  const recipe = {
    ...parsed.data,
    loss: bound.loss,
    optimizer: optimized.optimizer,
    model: { ...model, head: checked.head },
  };
  return { recipe: stages === undefined ? recipe : { ...recipe, stages } };
}

/** The stages, the losses and optimizers that they have of their own with all parameters. */
function bindStages({
  loss: runLoss,
  stages: given,
}: Pick<Recipe, 'loss' | 'stages'>): { stages: Recipe['stages'] } | { issues: RecipeIssue[] } {
  const bound = given?.map(({ loss, ...stage }): { stage: StageRecipe } | { issues: RecipeIssue[] } => {
    if (loss !== undefined && isLossFile(loss.name) && loss.name !== runLoss.name) {
      const message =
        'only the loss of the whole recipe may be a file: name it there, and the others in stages';
      return { issues: [{ path: ['loss', 'name'], message }] };
    }
    const ownLoss = loss && bindLoss(loss);
    if (ownLoss && 'issues' in ownLoss) return ownLoss;
    const ownOptimizer = stage.optimizer && bindOptimizer(stage.optimizer);
    if (ownOptimizer && 'issues' in ownOptimizer) return ownOptimizer;
    return { stage: { ...stage, ...ownOptimizer, ...ownLoss } };
  });
  const [first] = given ?? [];
  if (first?.start === 'best' || first?.head === 'reset') {
    const key = first.head === 'reset' ? 'head' : 'start';
    const message = `the first stage has none before it: it starts as model.weights says`;
    return { issues: [{ path: ['stages', 0, key], message }] };
  }
  const issues = bound?.flatMap((each, i) =>
    'issues' in each
      ? each.issues.map(({ path, message }) => ({ path: ['stages', i, ...path], message }))
      : [],
  );
  if (issues !== undefined && issues.length > 0) return { issues };
  return { stages: bound?.flatMap((each) => ('stage' in each ? [each.stage] : [])) };
}

function flatten(value: unknown, prefix = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return value === undefined ? new Map() : new Map([[prefix, JSON.stringify(value)]]);
  }
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => [
      ...flatten(inner, prefix === '' ? key : `${prefix}.${key}`),
    ]),
  );
}

function isInside(path: RecipeIssue['path'], outer: Override['path']): boolean {
  const shared = Math.min(path.length, outer.length);
  return path.slice(0, shared).every((key, i) => String(key) === outer[i]);
}

/** 1-based line of the setting, or of the nearest section around it that the file has. */
function lineOf(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  path: RecipeIssue['path'],
): number | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}
