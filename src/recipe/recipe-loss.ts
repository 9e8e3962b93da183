import { z } from 'zod';
import type { BoundLoss, Loss } from '../losses/define/loss.js';
import { LossError } from '../losses/define/loss-error.js';
import { SUM } from '../losses/define/sum-of-losses.js';
import { findLoss, registeredLosses } from '../losses/registry.js';
import { unknownKeys, unknownName } from './known-names.js';
import { isLossFile, type LossFile } from './loss-file.js';
import { isSection } from './merge-recipe.js';
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
  const loss = registeredLosses().find((candidate) => candidate.name === name);
  if (loss) return bindTo(loss, section);
  if (name === SUM) {
    const issues = Array.isArray(section.sum) ? section.sum.flatMap(partIssues) : [];
    return issues.length > 0 ? { issues } : bindTo(findLoss(SUM), section);
  }
  const known = [...registeredLosses().map((candidate) => candidate.name), SUM];
  return { issues: [{ path: ['loss', 'name'], message: unknownName('loss', name, known) }] };
}

/** The faults of a part of a sum, where it says which loss it is; the others are the sum's to tell. */
function partIssues(part: unknown, i: number): RecipeIssue[] {
  const path = ['loss', SUM, i];
  if (!isSection(part) || typeof part.name !== 'string') return [];
  const { name, weight: _weight, ...given } = part;
  if (isLossFile(name)) {
    const message = 'a loss in a file can be no part of a sum';
    return [{ path: [...path, 'name'], message }];
  }
  const losses = registeredLosses();
  const loss = losses.find((candidate) => candidate.name === name);
  if (loss) return parameterIssues(loss, given, { path, others: ['name', 'weight'] });
  const known = losses.map((candidate) => candidate.name);
  return [{ path: [...path, 'name'], message: unknownName('loss', name, known) }];
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

const partsSchema = z.object({
  name: z.literal(SUM),
  sum: z.array(z.looseObject({ name: z.string(), weight: z.number() })),
});

/** The parts of a complete section that is a sum, each with all of its parameters; none of another loss. */
export function lossParts(section: LossSection): z.output<typeof partsSchema>['sum'] {
  return partsSchema.safeParse(section).data?.sum ?? [];
}

function bindTo(loss: Loss, section: LossSection): { loss: LossSection } | { issues: RecipeIssue[] } {
  const { name, reduction, sha256, ...given } = section;
  const fixed = { name, reduction, ...(sha256 === undefined ? {} : { sha256 }) };
  const issues = parameterIssues(loss, given, { path: ['loss'], others: ['name', 'reduction'] });
  return issues.length > 0 ? { issues } : { loss: { ...fixed, ...loss.bind(given).parameters } };
}

/** @param where the parameters stand, and the settings that stand beside them */
function parameterIssues(
  loss: Loss,
  given: Readonly<Record<string, unknown>>,
  { path, others }: { readonly path: RecipeIssue['path']; readonly others: readonly string[] },
): RecipeIssue[] {
  const known = loss.parameters.map((parameter) => parameter.name);
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    return unknownKeys(unknown, { what: `setting of ${loss.name}`, path, known: [...others, ...known] });
  }
  try {
    loss.bind(given);
    return [];
  } catch (error) {
    if (!(error instanceof LossError)) throw error;
    return [{ path, message: error.message }];
  }
}
