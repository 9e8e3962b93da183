import { z } from 'zod';
import { windowSchema } from '../data/images/preprocessing.js';
import { VIEW_SETS } from '../predict/views/views.js';
import { unknownKeys } from '../recipe/known-names.js';
import { RecipeError } from '../recipe/recipe-error.js';
import { parseYaml, readYamlText } from '../recipe/yaml-text.js';

/**
 * A recipe of scores without training: which model, and how images and texts are put to it. A YAML file that stands where a
 * command takes a model; recipes/cxrlt2026-task2.yaml is one.
 */
const SETTINGS = {
  model: z.string().min(1).describe('a CLIP, or a run whose head compares images with texts'),
  tokenizer: z.string().min(1).optional().describe('of another model, where none lies beside the weights'),
  imageSize: z.int().min(1).optional(),
  window: windowSchema.optional(),
  prompts: z.string().min(1).optional(),
  classes: z.array(z.string().min(1)).min(1).optional(),
  rules: z
    .array(z.union([z.string(), z.looseObject({ name: z.string() })]))
    .min(1)
    .optional(),
  tta: z.enum(VIEW_SETS).optional(),
};
const schema = z.strictObject(SETTINGS);

export type ScoreRecipe = z.output<typeof schema>;

/** Whether a path that a command takes for a model is one of a recipe. */
export function isScoreRecipe(path: string): boolean {
  return /\.ya?ml$/i.test(path);
}

/** @throws RecipeError naming the file, the line and the setting */
export async function readScoreRecipe(path: string): Promise<ScoreRecipe> {
  const { value, lineOf } = parseYaml(await readYamlText(path, 'there is no such recipe'), path);
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? unknownKeys(issue.keys, { what: 'setting', path: [], known: Object.keys(SETTINGS) })
      : [
          {
            path: issue.path.map((key) => (typeof key === 'number' ? key : String(key))),
            message: issue.message,
          },
        ],
  );
  const sentences = issues.map(({ path: setting, message }) => {
    const line = lineOf(setting);
    return `${path}${line === undefined ? '' : `, line ${line}`}: ${setting.join('.')}: ${message}.`;
  });
  throw new RecipeError(sentences.join('\n'));
}
