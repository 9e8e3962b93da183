import type { BoundLoss, Loss } from '../losses/define/loss.js';
import { LossError } from '../losses/define/loss-error.js';
import { findLoss, registeredLosses } from '../losses/registry.js';
import { unknownKeys, unknownName } from './known-names.js';
import { isLossFile, type LossFile } from './loss-file.js';
import { RecipeError } from './recipe-error.js';
import type { RecipeIssue } from './recipe-issue.js';
import type { Recipe } from './recipe-schema.js';

/**
 * The loss section of a recipe: which parameters there are is for the loss to say, so they are checked there and its
 * defaults filled in, in the same words as the rest of the recipe.
 */
type LossSection = Recipe['loss'];

/** A loss in a file (see loss-file.ts) is left as it is: to read a recipe runs nobody's code. */
export function bindLoss(section: LossSection): { loss: LossSection } | { issues: RecipeIssue[] } {
  const { name } = section;
  if (isLossFile(name)) return { loss: section };
  const losses = registeredLosses();
  const loss = losses.find((candidate) => candidate.name === name);
  if (loss) return bindTo(loss, section);
  const message = unknownName(
    'loss',
    name,
    losses.map((candidate) => candidate.name),
  );
  return { issues: [{ path: ['loss', 'name'], message }] };
}

/**
 * The section of a loss in a file, made complete: where the file is, what it was, and all of the loss's parameters.
 * @throws RecipeError for parameters that do not fit
 */
export function bindLossFile(section: LossSection, { loss, path, sha256 }: LossFile): LossSection {
  const bound = bindTo(loss, { ...section, name: path, sha256 });
  if ('loss' in bound) return bound.loss;
  throw new RecipeError(bound.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}.`).join('\n'));
}

/** The loss of a complete section, its parameters fixed. @param file read already, where the section names one */
export function lossOf(section: LossSection, file?: Pick<LossFile, 'loss'>): BoundLoss {
  const { name, reduction: _reduction, sha256: _sha256, ...parameters } = section;
  const loss = file && isLossFile(name) ? file.loss : findLoss(name);
  return loss.bind(parameters);
}

function bindTo(loss: Loss, section: LossSection): { loss: LossSection } | { issues: RecipeIssue[] } {
  const { name, reduction, sha256, ...given } = section;
  const fixed = { name, reduction, ...(sha256 === undefined ? {} : { sha256 }) };
  const known = loss.parameters.map((parameter) => parameter.name);
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    const all = ['name', 'reduction', ...known];
    return { issues: unknownKeys(unknown, { what: `setting of ${loss.name}`, path: ['loss'], known: all }) };
  }
  try {
    return { loss: { ...fixed, ...loss.bind(given).parameters } };
  } catch (error) {
    if (!(error instanceof LossError)) throw error;
    return { issues: [{ path: ['loss'], message: error.message }] };
  }
}
