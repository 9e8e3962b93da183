import { describe, expect, test } from 'vitest';
import { formatRecipe, parseRecipe } from '../../src/recipe/recipe.js';
import { fromFolder, keptIn } from '../../src/recipe/recipe-paths.js';

const parse = (text: string) => parseRecipe(text, { path: 'r.yaml' });

describe('a recipe declared zero-shot', () => {
  test('decides where a projection head takes its class embeddings from', () => {
    const words = parse('model: {head: projection}\nzeroshot: {}');
    expect(words.model.head).toMatchObject({ name: 'projection', embeddings: 'words' });
    expect(words.zeroshot).toMatchObject({ texts: 'words', unseen: expect.arrayContaining(['goiter']) });
    const fixed = parse('model: {head: {name: projection, dims: 16}}\nzeroshot: {texts: my/clip}');
    expect(fixed.model.head).toMatchObject({ embeddings: 'fixed', dims: 16 });
    expect(parse(formatRecipe(words))).toEqual(words);
    expect(parse(formatRecipe(fixed))).toEqual(fixed);
  });

  test('leaves other heads, and recipes without it, as they are', () => {
    expect(parse('zeroshot: {unseen: [Mass]}').model.head).toEqual({ name: 'linear' });
    expect(parse('model: {head: projection}').model.head).toMatchObject({ embeddings: 'learned' });
    expect(parse('{}')).not.toHaveProperty('zeroshot');
  });

  test.each([
    [
      'model: {head: {name: projection, embeddings: words}}',
      /model\.head\.embeddings: words needs the section zeroshot/,
    ],
    ['model: {head: {name: projection, embeddings: fixed}}', /fixed needs the section zeroshot/],
    [
      'model: {head: {name: projection, embeddings: learned}}\nzeroshot: {}',
      /line 1: model\.head\.embeddings: must be words, or left out, where zeroshot\.texts is words/,
    ],
    ['zeroshot: {unseen: []}', /zeroshot\.unseen/],
    ['zeroshot: {prompt: p.yaml}', /did you mean "prompts"/],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('names its files from the folder that keeps it; words and hubs are no files', () => {
    const texts = (value: string) => ({ zeroshot: { prompts: '/data/p.yaml', texts: value } });
    expect(keptIn('/data/runs/a', texts('/data/clip')).zeroshot).toEqual({
      prompts: '../../p.yaml',
      texts: '../../clip',
    });
    for (const source of ['words', 'hf-hub:owner/clip']) {
      const kept = keptIn('/data/runs/a', texts(source));
      expect(kept.zeroshot.texts).toBe(source);
      expect(fromFolder('/data/runs/a', kept)).toEqual(texts(source));
    }
  });
});
