import { basename, dirname } from 'node:path';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { count } from '../text/numbers.js';
import { isLossFile } from './loss-file.js';
import { isSection } from './merge-recipe.js';
import { RecipeError } from './recipe-error.js';
import { checkHead } from './recipe-head.js';
import { imageSizeIssues, spreadImageSize } from './recipe-image-size.js';
import type { RecipeIssue } from './recipe-issue.js';
import { recipeIssues } from './recipe-issues.js';
import { bindLoss } from './recipe-loss.js';
import { bindOptimizer } from './recipe-optimizer.js';
import { applyOverrides, type Override, parseOverride } from './recipe-overrides.js';
import { fromFolder } from './recipe-paths.js';
import { type FROM_RECIPE, type Recipe, recipeSchema, type StageRecipe } from './recipe-schema.js';
import { keptHeadIssues } from './recipe-stage-heads.js';
import { spreadStages } from './recipe-stages.js';
import { headWithTexts } from './recipe-zeroshot.js';
import { parseYaml, readYamlText } from './yaml-text.js';

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
  const text = await readYamlText(path, 'there is no such recipe');
  const recipe = parseRecipe(text, { path, overrides });
  return { recipe, name: recipe.name ?? basename(path).replace(/\.ya?ml$/i, '') };
}

/** Faults of a recipe that are told one by one. */
const TOLD = 20;

export interface ParseOptions {
  /** For messages. */
  readonly path: string;
  readonly overrides?: readonly string[];
  /** Where its paths start, if it says `pathsFrom: recipe`; default: the folder of `path`. */
  readonly folder?: string;
}

/** The same from a text. @throws RecipeError */
export function parseRecipe(
  text: string,
  { path, overrides = [], folder = dirname(path) }: ParseOptions,
): Recipe {
  const { value, lineOf } = parseYaml(text, path);
  const changes = overrides.map((override) => parseOverride(override));
  const given = applyOverrides(fromFolder(folder, value ?? {}), changes);
  const checked = check(given);
  if ('recipe' in checked) return checked.recipe;
  const place = (issue: RecipeIssue): string => {
    const change = changes.findLast((override) => isInside(issue.path, override.path));
    if (change) return `--set ${change.text}`;
    const line = lineOf(issue.path);
    return line === undefined ? path : `${path}, line ${line}`;
  };
  const sentences = checked.issues.slice(0, TOLD).map((issue) => {
    const setting = issue.path.join('.');
    return `${place(issue)}: ${setting === '' ? '' : `${setting}: `}${issue.message}.`;
  });
  const more = checked.issues.length - sentences.length;
  if (more > 0) sentences.push(`${path}: and ${count(more)} more like these.`);
  throw new RecipeError(sentences.join('\n'));
}

/** The recipe as a YAML text; `parseRecipe` gives it back. */
export function formatRecipe(recipe: Recipe & { readonly pathsFrom?: typeof FROM_RECIPE }): string {
  return stringify(recipe, { lineWidth: 0, flowCollectionPadding: false });
}

/** Settings in which two recipes differ, as `optimizer.lr: 0.001 → 0.01`. */
export function recipeDifferences(from: Recipe, to: Recipe): string[] {
  const before = recipeSettings(from);
  const after = recipeSettings(to);
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => `${key}: ${before.get(key) ?? 'absent'} → ${after.get(key) ?? 'absent'}`);
}

function check(given: unknown): { recipe: Recipe } | { issues: RecipeIssue[] } {
  const spread = spreadStages(spreadImageSize(given));
  const parsed = recipeSchema.safeParse(spread);
  if (!parsed.success) return { issues: recipeIssues(parsed.error, spread) };
  const { pathsFrom, ...sections } = parsed.data;
  if (pathsFrom !== undefined) {
    return { issues: [{ path: ['pathsFrom'], message: 'can be said in the file of a recipe only' }] };
  }
  const { imageSize, ...model } = sections.model;
  const bound = bindLoss(sections.loss);
  const optimized = bindOptimizer(sections.optimizer);
  const checked = bindHead(model.head, sections);
  const staged = bindStages(sections);
  const issues = [
    ...imageSizeIssues(imageSize, sections.preprocessing.size),
    ...('issues' in bound ? bound.issues : []),
    ...('issues' in optimized ? optimized.issues : []),
    ...('issues' in checked ? checked.issues : []),
    ...('issues' in staged ? staged.issues : []),
  ];
  if ('issues' in bound || 'issues' in optimized || 'issues' in checked || 'issues' in staged)
    return { issues };
  if (issues.length > 0) return { issues };
  const { stages } = staged;
  const { stages: _, ...rest } = sections;
  const recipe: Recipe = {
    ...rest,
    loss: bound.loss,
    optimizer: optimized.optimizer,
    model: { ...model, head: checked.head },
    ...(stages && { stages }),
  };
  const unkept = keptHeadIssues(recipe);
  return unkept.length > 0 ? { issues: unkept } : { recipe };
}

type Sections = z.infer<typeof recipeSchema>;

function bindHead(
  head: Recipe['model']['head'],
  { zeroshot, model }: Pick<Sections, 'zeroshot' | 'model'>,
): ReturnType<typeof checkHead> {
  const texted = headWithTexts(head, zeroshot, model.weights);
  return 'issues' in texted ? texted : checkHead(texted.head);
}

/** The stages; the losses, optimizers and heads that they have of their own with all parameters. */
function bindStages(sections: Sections): { stages: Recipe['stages'] } | { issues: RecipeIssue[] } {
  const { loss: runLoss, stages: given } = sections;
  type Bound = { stage: StageRecipe } | { issues: RecipeIssue[] };
  const bound = given?.map(({ loss, model, ...stage }): Bound => {
    if (loss !== undefined && isLossFile(loss.name) && loss.name !== runLoss.name) {
      const message =
        'only the loss of the whole recipe may be a file: name it there, and the others in stages';
      return { issues: [{ path: ['loss', 'name'], message }] };
    }
    const ownLoss = loss && bindLoss(loss);
    if (ownLoss && 'issues' in ownLoss) return ownLoss;
    const ownOptimizer = stage.optimizer && bindOptimizer(stage.optimizer);
    if (ownOptimizer && 'issues' in ownOptimizer) return ownOptimizer;
    const ownHead = model && bindHead(model.head, sections);
    if (ownHead && 'issues' in ownHead) return ownHead;
    const { size } = stage.preprocessing ?? sections.preprocessing;
    const issues = imageSizeIssues(model?.imageSize, size);
    if (issues.length > 0) return { issues };
    const { dropRate = 0, dropPathRate = 0 } = model ?? {};
    const own = ownHead && { model: { head: ownHead.head, dropRate, dropPathRate } };
    return { stage: { ...stage, ...own, ...ownOptimizer, ...ownLoss } };
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

/** Settings by their path, as JSON; those in lists of sections, too: `stages.1.batchSize`. */
export function recipeSettings(recipe: object): Map<string, string> {
  return flatten(recipe);
}

function flatten(value: unknown, prefix = ''): Map<string, string> {
  const isList = Array.isArray(value) && !(value.length > 0 && value.every(isSection));
  if (typeof value !== 'object' || value === null || isList) {
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
