import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FINDINGS, OUT_OF_DISTRIBUTION } from '#src/data/tables/findings.js';
import {
  PROMPT_GROUPS,
  PromptError,
  type PromptOptions,
  parsePrompts,
  readPrompts,
} from '#src/zeroshot/prompts.js';
import { cleanText } from '#src/zeroshot/tokens/clean-text.js';
import { ClipTokenizer } from '#src/zeroshot/tokens/tokenizer.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { openClipMerges } from './clip-vocabulary.js';

const SHIPPED = new URL('../../prompts/cxrlt2026.yaml', import.meta.url).pathname;

describe('prompts/cxrlt2026.yaml', () => {
  it('has three prompts in each of four groups for all 36 findings, and two or three negative ones', async () => {
    const { classes, neutral, groupWeights } = await readPrompts(SHIPPED, {
      known: FINDINGS,
      wanted: FINDINGS,
    });
    expect([...classes.keys()].toSorted()).toEqual([...FINDINGS].toSorted());
    for (const [name, { groups, negative }] of classes) {
      expect([name, [...groups].map(([group, prompts]) => [group, prompts.length])]).toEqual([
        name,
        PROMPT_GROUPS.map((group) => [group, 3]),
      ]);
      expect([2, 3]).toContain(negative.length);
    }
    expect(neutral).toContain('a normal chest radiograph');
    expect(groupWeights).toEqual({ clinical: 1, appearance: 1, location: 1, terminology: 1 });
  });

  it('says nothing twice, and fits into the context of CLIP', async () => {
    const { classes, neutral } = await readPrompts(SHIPPED);
    const positive = [...classes.values()].flatMap(({ groups }) => [...groups.values()].flat());
    const negative = [...classes.values()].flatMap((prompts) => prompts.negative);
    expect(positive).toHaveLength(432);
    const all = [...positive, ...negative, ...neutral];
    expect(new Set(all.map(cleanText)).size).toBe(all.length);
    const folder = await temporaryFolder({ 'bpe_simple_vocab_16e6.txt': await openClipMerges() });
    const tokenizer = await ClipTokenizer.fromFiles(folder);
    const { cut, ends } = tokenizer.encode(all);
    expect(cut).toBe(0);
    // some words more in a template still fit
    expect(Math.max(...ends)).toBeLessThan(40);
  });

  it('travels with the package', async () => {
    const { files } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(files).toContain('prompts');
  });
});

const SMALL = `
templates: ["{}", "a radiograph showing {}"]
groupWeights: {appearance: 2}
negative: ["no {}"]
neutral: [a radiograph]
findings:
  goiter:
    terminology: [goitre]
    appearance: [$& deviated trachea, wide upper mediastinum]
    negative: [midline trachea]
    neutral: [the neck]
  Bulla:
    terminology: [bulla]
`;

describe('a file of prompts', () => {
  it('gives each prompt in each template, group by group', async () => {
    const { classes, neutral, groupWeights } = await parsePrompts(SMALL, 'p.yaml');
    expect([...classes.keys()]).toEqual(['goiter', 'Bulla']);
    expect([...(classes.get('goiter')?.groups ?? [])]).toEqual([
      [
        'appearance',
        [
          '$& deviated trachea',
          'wide upper mediastinum',
          'a radiograph showing $& deviated trachea',
          'a radiograph showing wide upper mediastinum',
        ],
      ],
      ['terminology', ['goitre', 'a radiograph showing goitre']],
    ]);
    expect(classes.get('goiter')?.negative).toEqual([
      'midline trachea',
      'no goiter',
      'a radiograph showing midline trachea',
      'a radiograph showing no goiter',
    ]);
    expect(classes.get('Bulla')?.negative).toEqual(['no Bulla', 'a radiograph showing no Bulla']);
    expect(classes.get('goiter')?.neutral).toEqual(['the neck']);
    expect(neutral).toEqual(['a radiograph']);
    expect(groupWeights).toEqual({ clinical: 1, appearance: 2, location: 1, terminology: 1 });
  });

  it('has a digest of what it says: comments change nothing, a weight or a word does', async () => {
    const digest = async (text: string) => (await parsePrompts(text, 'p.yaml')).digest;
    const first = await digest(SMALL);
    expect(first).toMatch(/^[\da-f]{64}$/);
    expect(await digest(`# another day\n${SMALL}`)).toBe(first);
    expect(await digest(SMALL.replace('appearance: 2', 'appearance: 3'))).not.toBe(first);
    expect(await digest(SMALL.replace('goitre', 'struma'))).not.toBe(first);
  });
});

describe('a file of prompts is refused', () => {
  const known = [...OUT_OF_DISTRIBUTION];
  it.each<[string, string, RegExp, PromptOptions?]>([
    ['broken YAML', 'findings:\n  goiter: [a\n  x: b', /^p\.yaml, line \d: not valid YAML/],
    ['a key twice', 'findings:\n  a: {location: [x]}\n  a: {location: [y]}', /line 3: .*"a" occurs twice/],
    ['an empty file', '', /^p\.yaml: findings: must be a section/],
    ['no findings', 'findings: {}', /findings: is empty: write the prompts of at least one/],
    ['a list', '- a', /^p\.yaml: must be a section with settings/],
    [
      'an unknown class',
      'findings:\n  Scolosis:\n    location: [spine]',
      /^p\.yaml, line \d: findings\.Scolosis: there is no class "Scolosis"; did you mean "Scoliosis"\?/,
      { known },
    ],
    [
      'an unknown group',
      'findings:\n  Bulla:\n    locations: [apex]',
      /line 3: findings\.Bulla\.locations: there is no part of a finding "locations"; did you mean "location"\?/,
    ],
    [
      'an unknown section',
      'finding:\n  a: b',
      /there is no section of prompts "finding"; did you mean "findings"\?/,
    ],
    [
      'an empty group',
      'findings:\n  Bulla:\n    clinical: [x]\n    location: []',
      /line 4: findings\.Bulla\.location: is empty: write at least one prompt, or leave it out/,
    ],
    [
      'an empty prompt',
      'findings:\n  Bulla:\n    location:\n      - a\n      - "&nbsp;"',
      /line 5: .*location\.1: must not be empty/,
    ],
    [
      'a class without a group that counts',
      'groupWeights: {clinical: 0}\nfindings:\n  Bulla:\n    clinical: [air]\n    negative: [none]',
      /findings\.Bulla: needs prompts in a group with a weight above 0/,
    ],
    [
      'a text for a list',
      'findings:\n  Bulla:\n    location: apex',
      /line 3: findings\.Bulla\.location: must be a list, one/,
    ],
    [
      'a number',
      'findings:\n  Bulla:\n    location: [1]',
      /location\.0: must be a text; a number, or a text with a colon/,
    ],
    [
      'a colon',
      'findings:\n  Bulla:\n    location:\n    - at: apex',
      /location\.0: must be a text; a number, or a text with a colon/,
    ],
    [
      'a weight below 0',
      'groupWeights: {location: -1}\nfindings: {}',
      /line 1: groupWeights\.location: too small/,
    ],
    [
      'a weight that is none',
      'groupWeights: {place: 1}\nfindings: {}',
      /there is no group of prompts "place"/,
    ],
    [
      'a template without a place',
      'templates: [a chest]\nfindings: {}',
      /templates\.0: must have \{\} where the prompt goes/,
    ],
    [
      'a long prompt',
      `findings:\n  Bulla:\n    location: [${'a'.repeat(501)}]`,
      /must have at most 500 characters/,
    ],
    [
      'a prompt twice',
      'findings:\n  Bulla:\n    clinical:\n      - Air  space\n  goiter:\n    location: [air space]',
      /line 6: findings\.goiter\.location\.0: "air space" is the same prompt as in line 4 \(findings\.Bulla\.clinical\.0\)/,
    ],
    [
      'a prompt and its opposite',
      'findings:\n  Bulla:\n    clinical: [air]\n    negative: [Air]',
      /line 4: findings\.Bulla\.negative\.0: "Air" is the same prompt as in line 3/,
    ],
    [
      'a class that is wanted and not there',
      'findings:\n  Bulla:\n    clinical: [air]',
      /findings: has no prompts for Scoliosis, goiter; it has some for Bulla\./,
      { wanted: ['Scoliosis', 'Bulla', 'goiter'] },
    ],
  ])('%s', async (_, text, message, options = {}) => {
    const failure = await parsePrompts(text, 'p.yaml', options).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PromptError);
    expect((failure as Error).message).toMatch(message);
  });

  it('with 10,000 prompts, at once, templates counted', async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => `      - prompt ${index}`).join('\n');
    const text = (count: number) => `findings:\n  Bulla:\n    location:\n${many(count)}\n`;
    const started = performance.now();
    await expect(parsePrompts(text(10_000), 'p.yaml')).rejects.toThrow(
      /^p\.yaml: has more than 4,096 prompts/,
    );
    // a second is far more than it takes on an idle machine
    expect(performance.now() - started).toBeLessThan(10_000);
    const framed = `templates: ["{}", "a {}"]\n${text(2049)}`;
    await expect(parsePrompts(framed, 'p.yaml')).rejects.toThrow(
      /more than 4,096 prompts, counting each once for every/,
    );
    await expect(parsePrompts(text(4096), 'p.yaml')).resolves.toBeDefined();
    const classes = Array.from({ length: 20_000 }, (_, index) => `  c${index}: {}`).join('\n');
    await expect(parsePrompts(`findings:\n${classes}\n`, 'p.yaml')).rejects.toThrow(/more than 4,096/);
  });

  it('with faults by the thousand, the first of which are told', async () => {
    const prompts = `findings:\n  Bulla:\n    location: [${'1, '.repeat(4000)}]\n`;
    const failure = (await parsePrompts(prompts, 'p.yaml').catch((error: unknown) => error)) as Error;
    expect(failure.message.split('\n')).toHaveLength(21);
    expect(failure.message).toMatch(/… and 3,980 more\.$/);
  });

  it('where there is none', async () => {
    const folder = await temporaryFolder();
    await expect(readPrompts(join(folder, 'p.yaml'))).rejects.toThrow(PromptError);
    await expect(readPrompts(folder)).rejects.toThrow(PromptError);
  });
});
