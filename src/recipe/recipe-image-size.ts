import { z } from 'zod';
import { isSection } from './merge-recipe.js';
import type { RecipeIssue } from './recipe-issue.js';

/**
 * `model.imageSize`: the short form of `preprocessing.size`, beside the architecture where people look for it. A
 * resolved recipe has the long form only, so that there is one place that says it.
 */

const side = z.int().min(1).max(8192);

export const imageSizeSchema = z
  .union([side, z.tuple([side, side])])
  .describe('pixels a side, or [height, width]: short for preprocessing.size');

type ImageSize = z.infer<typeof imageSizeSchema>;

/** The recipe as given, its short form written out where it says nothing of the long one; in stages, too. */
export function spreadImageSize(given: unknown): unknown {
  if (!isSection(given)) return given;
  const spread = spreadInto(given);
  return Array.isArray(given.stages) ? { ...spread, stages: given.stages.map(spreadImageSize) } : spread;
}

/** The same for the sections of a recipe, or of a stage. */
function spreadInto(given: Record<string, unknown>): Record<string, unknown> {
  if (!isSection(given.model)) return given;
  const imageSize = imageSizeSchema.safeParse(given.model.imageSize);
  const { preprocessing = {} } = given;
  if (!imageSize.success || !isSection(preprocessing) || 'size' in preprocessing) return given;
  return { ...given, preprocessing: { ...preprocessing, size: sides(imageSize.data) } };
}

/** What is wrong where both forms are given. */
export function imageSizeIssues(imageSize: ImageSize | undefined, size: readonly number[]): RecipeIssue[] {
  if (imageSize === undefined) return [];
  const [short, long] = [sides(imageSize).join(' × '), size.join(' × ')];
  if (short === long) return [];
  const message = `is ${short}, but preprocessing.size is ${long}; give one of them`;
  return [{ path: ['model', 'imageSize'], message }];
}

function sides(imageSize: ImageSize): [number, number] {
  return typeof imageSize === 'number' ? [imageSize, imageSize] : imageSize;
}
