import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { OUT_OF_DISTRIBUTION } from '../../data/tables/findings.js';
import { parseYaml } from '../../recipe/yaml-text.js';
import type { ImageTextModel } from '../../zeroshot/image-text-model.js';
import { OUR_PROMPTS } from '../../zeroshot/our-prompts.js';
import { type PromptOptions, type PromptSet, readPrompts } from '../../zeroshot/prompts.js';
import type { RuleChoice } from '../../zeroshot/scoring/rule.js';

/** Options about prompts, the classes that have some, and the rules that score by them. */

export function promptsOption(): Option {
  return new Option(
    '--prompts <file>',
    'what findings look like, in words (YAML); default: those that the model was trained with, else our own',
  );
}

/** The prompts of a file, else those that the model was trained with, else ours. @throws PromptError */
export function promptsFor(
  { training }: Pick<ImageTextModel, 'training'>,
  file: string | undefined,
  options: PromptOptions,
): Promise<PromptSet> {
  return readPrompts(file ?? training?.prompts ?? OUR_PROMPTS, options);
}

/** The findings that nobody labelled: those of the model's training, else the challenge's. */
export function unseenFor({ training }: Pick<ImageTextModel, 'training'>): readonly string[] {
  return training && training.unseen.length > 0 ? training.unseen : OUT_OF_DISTRIBUTION;
}

export function seenOption(): Option {
  return new Option(
    '--seen <predictions.csv>',
    'scores of a model that was trained on the seen findings, for semantic-transfer and normal-gating',
  );
}

/** `Bulla, goiter` */
export function nameList(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

/** `centred, {name: max}, sigmoid` */
export function ruleList(text: string): RuleChoice[] {
  const { value } = parseYaml(`[${text}]`, '--rules');
  const parsed = z.array(z.union([z.string(), z.looseObject({ name: z.string() })])).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError('A rule is a name, or {name: …} with its parameters.');
}
