import { z } from 'zod';
import { OUT_OF_DISTRIBUTION } from '../data/tables/findings.js';
import type { RecipeIssue } from './recipe-issue.js';

/** `zeroshot.texts` of a recipe whose text encoder is trained along with the images. */
export const WORDS = 'words';

/** Declares that a run sees no label of some findings, so that its scores for them are zero-shot. */
export const zeroshotSchema = z
  .strictObject({
    unseen: z
      .array(z.string().min(1))
      .min(1)
      .default([...OUT_OF_DISTRIBUTION])
      .describe('findings whose labels training must not see: a table with such columns is refused'),
    prompts: z
      .string()
      .min(1)
      .optional()
      .describe(
        'file that says in words what findings look like (YAML); absent: the one that tailray brings',
      ),
    texts: z
      .string()
      .min(1)
      .default(WORDS)
      .describe(
        'what embeds the prompts for a projection head. words: a small encoder that is trained along with the images; ' +
          'else a CLIP (a folder, or hf-hub:owner/name), or a file that zeroshot embed --texts wrote',
      ),
  })
  .optional();

export type ZeroShotRecipe = NonNullable<z.output<typeof zeroshotSchema>>;

/** A head with the source of its class embeddings, which the section `zeroshot` decides for a projection. */
export function headWithTexts<Head extends { readonly name: string; readonly [option: string]: unknown }>(
  head: Head,
  zeroshot: ZeroShotRecipe | undefined,
  weights: string | undefined,
): { head: Head } | { issues: RecipeIssue[] } {
  if (head.name !== 'projection') return { head };
  const path = ['model', 'head', 'embeddings'];
  const given = head.embeddings;
  if (zeroshot === undefined) {
    if (given === WORDS || (given === 'fixed' && weights === undefined)) {
      const message = `${given} needs the section zeroshot, which says what the classes look like in words`;
      return { issues: [{ path, message }] };
    }
    return { head };
  }
  const wanted = zeroshot.texts === WORDS ? WORDS : 'fixed';
  if (given === undefined || given === wanted) return { head: { ...head, embeddings: wanted } };
  const message = `must be ${wanted}, or left out, where zeroshot.texts is ${zeroshot.texts}`;
  return { issues: [{ path, message }] };
}
