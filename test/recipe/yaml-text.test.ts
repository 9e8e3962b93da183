import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { planComparison } from '../../src/compare/comparison-plan.js';
import { TailrayError } from '../../src/engine/errors.js';
import { parseRecipe, resolveRecipe } from '../../src/recipe/recipe.js';
import { RecipeError } from '../../src/recipe/recipe-error.js';
import { parseYaml } from '../../src/recipe/yaml-text.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const lines = (n: number, line: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => line(i)).join('\n');

/** Nine times nine times …: 9¹¹ values in 12 lines. */
const BOMB = lines(12, (i) =>
  i === 0
    ? 'a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]'
    : `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
);

/** Texts that a reader must refuse, with what it must say. */
const HOSTILE: [what: string, text: string, message: RegExp][] = [
  ['an unknown alias', 'seed: 1\noptimizer: {lr: *rate}', /line 2: .*\*rate stands for nothing/],
  ['an alias above its anchor', 'a: *b\nc: &b 1', /line 1: .*\*b stands for nothing/],
  ['an alias inside of its own value', 'a: &a\n  b: [*a]', /line 2: .*\*a stands inside of &a/],
  ['an alias bomb', BOMB, /line 7: .*more than 1,000,000 values/],
  ['nested flow lists', '['.repeat(20_000), /more than 64 levels/],
  ['nested closed lists', `a:\n  ${'['.repeat(2000)}${']'.repeat(2000)}`, /line 2: .*more than 64 levels/],
  ['nested lists', '- '.repeat(20_000), /more than 64 levels/],
  ['nested sections', lines(500, (i) => `${' '.repeat(i)}a:`), /line 6\d: .*more than 64 levels/],
  ['many aliases', `a: &a 1\nb: [${'*a, '.repeat(2000)}]`, /line 2: .*more than 1000 aliases/],
  ['levels by aliases', lines(80, (i) => `a${i}: &a${i} [${i === 0 ? 1 : `*a${i - 1}`}]`), /64 levels/],
  ['a key twice', 'seed: 1\nname: a\nseed: 2', /line 3: .*the key "seed" occurs twice/],
  ['many equal keys', lines(20_000, () => 'seed: 1'), /line 2: .*the key "seed" occurs twice/],
  ['a section as a key', 'a: 1\n? {b: 1}\n: 2', /line 2: .*a key must be a word/],
  ['__proto__', 'a: 1\nloss: {__proto__: {gamma: 1}}', /line 2: .*__proto__/],
  ['two documents', 'a: 1\n---\nb: 1', /line 2: .*a second document/],
  ['broken flow', 'a: 1\nb: [1,\nc: }', /line 3: /],
  ['a file of another kind', 'x'.repeat(5 * 2 ** 20), /more than 4 million characters/],
];

function refusal(read: () => unknown): Error {
  try {
    read();
  } catch (error) {
    return error as Error;
  }
  throw new Error('accepted');
}

describe('a text that is no recipe of a person', () => {
  test.each(HOSTILE)('%s is refused, with its line, soon', (_, text, message) => {
    const begun = performance.now();
    const error = refusal(() => parseYaml(text, 'r.yaml'));
    expect(error).toBeInstanceOf(RecipeError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^r\.yaml/);
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  test('the same by a recipe, --set and a comparison', async () => {
    const folder = await temporaryFolder({ 'r.yaml': 'seed: *x\n', 'c.yaml': 'base: {}\nlosses: *x\n' });
    await expect(resolveRecipe(join(folder, 'r.yaml'))).rejects.toThrow(
      /r\.yaml, line 1: not valid YAML: \*x stands for nothing/,
    );
    expect(() => parseRecipe('', { path: 'r.yaml', overrides: ['seed=*x'] })).toThrow(
      /^--set seed=\*x: the value: not valid YAML: \*x stands for nothing/,
    );
    await expect(planComparison(join(folder, 'c.yaml'))).rejects.toThrow(
      /c\.yaml, line 2: not valid YAML: \*x/,
    );
    await writeFile(join(folder, 'd.yaml'), 'base: r.yaml\nlosses: [bce, asl]\n');
    await expect(planComparison(join(folder, 'd.yaml'))).rejects.toThrow(
      /r\.yaml, line 1: not valid YAML: \*x/,
    );
    await writeFile(join(folder, 'large.yaml'), Buffer.alloc(5 * 2 ** 20, 0x20));
    await expect(resolveRecipe(join(folder, 'large.yaml'))).rejects.toThrow(/larger than 4 MiB/);
    await mkdir(join(folder, 'folder'));
    await expect(resolveRecipe(join(folder, 'folder'))).rejects.toThrow(/folder: is a folder/);
  });

  test('any text gives a value or the usual error', () => {
    const word = fc.constantFrom(
      'a',
      'seed',
      ': ',
      '- ',
      '\n',
      '  ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '&a ',
      '*a',
      '? ',
      '!!set ',
      '|\n',
      '"',
      "'",
      '#',
      '<<',
      '---\n',
      '%YAML 1.1\n',
      '__proto__',
      '\t',
      '\0',
      '1',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        try {
          parseRecipe(words.join(''), { path: 'r.yaml' });
        } catch (error) {
          expect(error).toBeInstanceOf(TailrayError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a text that is one', () => {
  test('reads as by the yaml package, aliases and all', () => {
    const text =
      '# c\nbase: &b {lr: 1e-3, list: [1, "2", null, true]}\nother: *b\nempty:\ntext: |\n  a\n  b\n';
    const { value, lineOf } = parseYaml(text, 'r.yaml');
    expect(value).toEqual(parse(text));
    expect(lineOf(['base', 'list', 1])).toBe(2);
    expect(lineOf(['text', 'nothing'])).toBe(5);
    expect(lineOf(['nothing'])).toBeUndefined();
    expect(parseYaml('', 'r.yaml').value).toBeNull();
    expect(parseYaml('\ufeffseed: 1', 'r.yaml').value).toEqual({ seed: 1 });
  });
});
