import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { parseYaml } from '../../recipe/yaml-text.js';
import type { RuleChoice } from '../../zeroshot/scoring/rule.js';

/** Options about prompts, the classes that have some, and the rules that score by them. */

/** Beside dist/, in a clone as in the package. */
const OUR_PROMPTS = fileURLToPath(new URL('../../../prompts/cxrlt2026.yaml', import.meta.url));

export function promptsOption(): Option {
  return new Option(
    '--prompts <file>',
    'what findings look like, in words (YAML); see docs/zeroshot/README.md',
  ).default(OUR_PROMPTS);
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
