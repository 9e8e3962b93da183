import { z } from 'zod';
import { TailrayError } from '../engine/errors.js';
import { unknownKeys } from '../recipe/known-names.js';
import { RecipeError } from '../recipe/recipe-error.js';
import type { RecipeIssue } from '../recipe/recipe-issue.js';
import { parseYaml, readYamlText, type YamlText } from '../recipe/yaml-text.js';
import { sha256 } from '../storage/content-digest.js';
import { count } from '../text/numbers.js';
import { shorten } from '../text/shorten.js';
import { cleanText } from './tokens/clean-text.js';

/**
 * Files of prompts: for each finding, short texts that say what an image with the finding shows, in four groups. Scores
 * without training compare an image with them.
 */

/** Clinical wording, appearance on the radiograph, anatomical location, terminology. */
export const PROMPT_GROUPS = ['clinical', 'appearance', 'location', 'terminology'] as const;
export type PromptGroup = (typeof PROMPT_GROUPS)[number];

export interface ClassPrompts {
  /** At least one prompt in each group that is there, put into every template. */
  readonly groups: ReadonlyMap<PromptGroup, readonly string[]>;
  /** What an image without the finding shows, put into every template: the finding's own prompts, then those for all. */
  readonly negative: readonly string[];
  /** What says nothing about this finding: the finding's own prompts, as they are written. */
  readonly neutral: readonly string[];
}

export interface PromptSet {
  /** In the file's order. */
  readonly classes: ReadonlyMap<string, ClassPrompts>;
  /** What says nothing about any finding, as it is written. */
  readonly neutral: readonly string[];
  /** Not negative; for every class one of its groups has more than 0. */
  readonly groupWeights: Readonly<Record<PromptGroup, number>>;
  /** SHA-256 of all of the above. */
  readonly digest: string;
}

export interface PromptOptions {
  /** The classes there are. A file that names another is refused; default: every name is taken. */
  readonly known?: readonly string[];
  /** The classes to be scored. A file without prompts for one of them is refused. */
  readonly wanted?: readonly string[];
}

/** A file of prompts that makes no sense; the message names the file, the line and the prompt's place. */
export class PromptError extends TailrayError {}

/** Far above the use there is for them: each prompt costs a pass of the text tower and a place in every score. */
const MOST = { prompts: 4096, values: 20_000, characters: 500, templates: 32, told: 20 } as const;

const prompt = z
  .string()
  .max(MOST.characters, `must have at most ${MOST.characters} characters: a text tower reads some 60 words`)
  .refine((text) => cleanText(text) !== '', 'must not be empty');
const list = z.array(prompt).min(1);
const template = prompt.refine((text) => text.includes('{}'), 'must have {} where the prompt goes');
const nameTemplate = prompt.refine(
  (text) => text.includes('{}'),
  "must have {} where the finding's name goes",
);
const weight = z.number().nonnegative();

const FINDING = {
  clinical: list.optional(),
  appearance: list.optional(),
  location: list.optional(),
  terminology: list.optional(),
  negative: list.optional(),
  neutral: list.optional(),
};
const WEIGHTS = {
  clinical: weight.default(1),
  appearance: weight.default(1),
  location: weight.default(1),
  terminology: weight.default(1),
};
const FILE = {
  templates: z.array(template).min(1).max(MOST.templates).default(['{}']),
  groupWeights: z.strictObject(WEIGHTS).prefault({}),
  negative: z.array(nameTemplate).min(1).optional(),
  neutral: list.optional(),
  findings: z.record(z.string().min(1), z.strictObject(FINDING)),
};
const promptFile = z.strictObject(FILE);
type PromptFile = z.infer<typeof promptFile>;

/** @throws PromptError naming the file, the line and the prompt's place */
export async function readPrompts(path: string, options: PromptOptions = {}): Promise<PromptSet> {
  return parsePrompts(
    await asPromptError(() => readYamlText(path, 'there are no such prompts')),
    path,
    options,
  );
}

/** The same from a text. @param place of the text, for messages @throws PromptError */
export async function parsePrompts(
  text: string,
  place: string,
  { known, wanted = [] }: PromptOptions = {},
): Promise<PromptSet> {
  const yaml = await asPromptError(() => parseYaml(text, place));
  if (exceeds(yaml.value, MOST.values)) throw tooMany(place);
  const checked = promptFile.safeParse(yaml.value ?? {});
  if (!checked.success) throw refusal(checked.error.issues.flatMap(explain), yaml, place);
  const file = checked.data;
  if (promptCount(file) > MOST.prompts) throw tooMany(place);
  const issues = [...faults(file, known), ...repetitions(file, yaml)];
  if (issues.length > 0) throw refusal(issues, yaml, place);
  const missing = wanted.filter((name) => !Object.hasOwn(file.findings, name));
  if (missing.length > 0) {
    throw new PromptError(
      `${place}: findings: has no prompts for ${missing.join(', ')}; it has some for ${Object.keys(file.findings).join(', ')}.`,
    );
  }
  return assemble(file);
}

/** Every text of a set once: those of the classes, then those for all. */
export function textsOf({ classes, neutral }: PromptSet): string[] {
  const own = [...classes.values()].flatMap((each) => [
    ...[...each.groups.values()].flat(),
    ...each.negative,
    ...each.neutral,
  ]);
  return [...new Set([...own, ...neutral])];
}

async function assemble({
  templates,
  groupWeights,
  negative = [],
  neutral = [],
  findings,
}: PromptFile): Promise<PromptSet> {
  const fill = (prompts: readonly string[] = []) =>
    templates.flatMap((template) => prompts.map((prompt) => filled(template, prompt)));
  const classes = Object.entries(findings).map(([name, finding]): [string, ClassPrompts] => [
    name,
    {
      groups: new Map(
        PROMPT_GROUPS.filter((group) => finding[group] !== undefined).map((group) => [
          group,
          fill(finding[group]),
        ]),
      ),
      negative: fill([...(finding.negative ?? []), ...negative.map((template) => filled(template, name))]),
      neutral: finding.neutral ?? [],
    },
  ]);
  const plain = classes.map(([name, prompts]) => [
    name,
    [...prompts.groups],
    prompts.negative,
    prompts.neutral,
  ]);
  const digest = await sha256(
    JSON.stringify([plain, neutral, PROMPT_GROUPS.map((group) => groupWeights[group])]),
  );
  return { classes: new Map(classes), neutral, groupWeights, digest };
}

/** In the set that a file makes: each prompt once for every template, prompts for all once for every finding. */
function promptCount({ templates, negative = [], neutral = [], findings }: PromptFile): number {
  let sum = neutral.length;
  for (const finding of Object.values(findings)) {
    const { neutral: own = [], negative: absent = [], ...groups } = finding;
    const framed = Object.values(groups).reduce((all, prompts) => all + (prompts?.length ?? 0), 0);
    sum += own.length + templates.length * (framed + absent.length + negative.length);
  }
  return sum;
}

function filled(template: string, text: string): string {
  return template.replaceAll('{}', () => text);
}

/** Classes that there are not, and classes that no group speaks for. */
function faults({ findings, groupWeights }: PromptFile, known: readonly string[] | undefined): RecipeIssue[] {
  const names = Object.keys(findings);
  if (names.length === 0)
    return [{ path: ['findings'], message: 'is empty: write the prompts of at least one finding' }];
  const strange = known === undefined ? [] : names.filter((name) => !known.includes(name));
  const silent = Object.entries(findings).filter(
    ([, finding]) => !PROMPT_GROUPS.some((group) => finding[group] !== undefined && groupWeights[group] > 0),
  );
  return [
    ...unknownKeys(strange, { what: 'class', path: ['findings'], known: known ?? [] }),
    ...silent.map(([name]) => ({
      path: ['findings', name],
      message: `needs prompts in a group with a weight above 0: ${PROMPT_GROUPS.join(', ')}`,
    })),
  ];
}

/** A prompt that stands for two findings, or twice for one, tells nothing the second time. */
function repetitions(file: PromptFile, yaml: YamlText): RecipeIssue[] {
  const issues: RecipeIssue[] = [];
  const look = (
    seen: Map<string, RecipeIssue['path']>,
    prompts: readonly string[],
    path: RecipeIssue['path'],
  ) => {
    for (const [index, prompt] of prompts.entries()) {
      const here = [...path, index];
      const text = cleanText(prompt);
      const first = seen.get(text);
      if (first === undefined) seen.set(text, here);
      else if (issues.length < MOST.told) {
        const line = yaml.lineOf(first);
        const where = line === undefined ? first.join('.') : `line ${line} (${first.join('.')})`;
        issues.push({ path: here, message: `"${shorten(prompt, 60)}" is the same prompt as in ${where}` });
      }
    }
  };
  look(new Map(), file.templates, ['templates']);
  look(new Map(), file.neutral ?? [], ['neutral']);
  look(new Map(), file.negative ?? [], ['negative']);
  const positive = new Map<string, RecipeIssue['path']>();
  for (const [name, finding] of Object.entries(file.findings)) {
    const path = ['findings', name];
    for (const group of PROMPT_GROUPS) look(positive, finding[group] ?? [], [...path, group]);
    const others = new Map<string, RecipeIssue['path']>();
    for (const group of PROMPT_GROUPS) {
      for (const [index, prompt] of (finding[group] ?? []).entries())
        others.set(cleanText(prompt), [...path, group, index]);
    }
    for (const [index, template] of (file.negative ?? []).entries()) {
      others.set(cleanText(filled(template, name)), ['negative', index]);
    }
    look(others, finding.negative ?? [], [...path, 'negative']);
    look(new Map(), finding.neutral ?? [], [...path, 'neutral']);
  }
  return issues;
}

function explain(issue: z.core.$ZodIssue): RecipeIssue[] {
  const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
  switch (issue.code) {
    case 'unrecognized_keys': {
      const [known, what] =
        path.length === 0
          ? [FILE, 'section of prompts']
          : path[0] === 'groupWeights'
            ? [WEIGHTS, 'group of prompts']
            : [FINDING, 'part of a finding'];
      return unknownKeys(issue.keys, { what, path, known: Object.keys(known) });
    }
    case 'invalid_type':
      return [{ path, message: `must be ${NOUNS[issue.expected] ?? issue.expected}` }];
    case 'too_small':
      if (issue.origin === 'array')
        return [{ path, message: 'is empty: write at least one prompt, or leave it out' }];
      break;
    case 'too_big':
      if (issue.origin === 'array') return [{ path, message: `must have at most ${issue.maximum} entries` }];
      break;
  }
  return [{ path, message: issue.message.charAt(0).toLowerCase() + issue.message.slice(1) }];
}

const NOUNS: Readonly<Record<string, string>> = {
  array: 'a list, one entry a line after "- "',
  string: 'a text; a number, or a text with a colon in it, needs quotes',
  object: 'a section with settings',
  record: 'a section with the findings',
  number: 'a number',
};

function refusal(issues: readonly RecipeIssue[], yaml: YamlText, place: string): PromptError {
  const sentences = issues.slice(0, MOST.told).map(({ path, message }) => {
    const line = yaml.lineOf(path);
    return `${place}${line === undefined ? '' : `, line ${line}`}: ${path.length > 0 ? `${path.join('.')}: ` : ''}${message}.`;
  });
  if (issues.length > MOST.told) sentences.push(`… and ${count(issues.length - MOST.told)} more.`);
  return new PromptError(sentences.join('\n'));
}

function tooMany(place: string): PromptError {
  return new PromptError(
    `${place}: has more than ${count(MOST.prompts)} prompts, counting each once for every template. ` +
      'A dozen a finding is a good number: leave some out.',
  );
}

/** Whether more than `most` values stand in something, sections and lists counted too. */
function exceeds(value: unknown, most: number): boolean {
  let left = most;
  const visit = (inner: unknown): boolean => {
    if (typeof inner !== 'object' || inner === null) return false;
    const values = Object.values(inner);
    left -= values.length;
    return left < 0 || values.some(visit);
  };
  return visit(value);
}

async function asPromptError<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RecipeError) throw new PromptError(error.message, { cause: error });
    throw error;
  }
}
