import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defineModel } from '../../src/models/model.js';
import { nearestName } from '../../src/recipe/known-names.js';
import { formatRecipe, parseRecipe, recipeDifferences, resolveRecipe } from '../../src/recipe/recipe.js';
import { RecipeError } from '../../src/recipe/recipe-error.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const read = (text: string, ...overrides: string[]) => parseRecipe(text, { path: 'r.yaml', overrides });

function refusal(text: string, ...overrides: string[]): string {
  try {
    read(text, ...overrides);
  } catch (error) {
    expect(error).toBeInstanceOf(RecipeError);
    return (error as RecipeError).message;
  }
  throw new Error(`accepted: ${text} ${overrides.join(' ')}`);
}

describe('a recipe is complete', () => {
  test('an empty file is one, with the documented defaults', () => {
    const recipe = read('');
    expect(recipe.optimizer).toEqual({
      name: 'adamw',
      lr: 1e-3,
      weightDecay: 0.01,
      decayNormsAndBiases: false,
      clipNorm: 1,
      groups: { backbone: 1, head: 1 },
      layerDecay: 1,
      freezeNorms: true,
      betas: [0.9, 0.999],
      eps: 1e-8,
    });
    expect(recipe.schedule).toEqual({ epochs: 10, kind: 'cosine', by: 'step', warmupEpochs: 0, floor: 0.01 });
    expect(recipe.ema).toEqual({ decay: 0.9999, warmup: true });
    expect(recipe.preprocessing.size).toEqual([224, 224]);
    expect(recipe.sampler).toEqual({ name: 'shuffled' });
  });

  test('a sampler brings its own fields, and they are written out', () => {
    const recipe = read('sampler: {name: repeat-factor}', 'sampler.frequency=images');
    expect(recipe.sampler).toMatchObject({ threshold: 0.001, cap: false, rounding: 'stochastic' });
    expect(read(formatRecipe(recipe))).toEqual(recipe);
  });

  test('a sum of losses needs no name, and each part is completed', () => {
    const recipe = read('loss: {sum: [{name: focal, gamma: 3}, {name: smooth-ap, weight: 0.5}]}');
    expect(recipe.loss).toEqual({
      name: 'sum',
      reduction: 'mean',
      sum: [
        { name: 'focal', weight: 1, gamma: 3, alpha: 0.25, labelSmoothing: 0 },
        { name: 'smooth-ap', weight: 0.5, temperature: 0.5, memory: 0, labelSmoothing: 0 },
      ],
    });
    expect(read(formatRecipe(recipe))).toEqual(recipe);
    expect(read(formatRecipe(recipe), 'loss.sum.1.weight=2').loss.sum).toMatchObject([{}, { weight: 2 }]);
    const staged = read('loss: {name: asl}\nstages: [{loss: {sum: [{name: bce}]}}, {loss: {gammaNeg: 2}}]');
    expect(staged.stages).toMatchObject([
      { loss: { name: 'sum', sum: [{ name: 'bce' }] } },
      { loss: { name: 'asl', gammaNeg: 2 } },
    ]);
    expect(staged.stages?.[0]?.loss).not.toHaveProperty('gammaNeg');
  });

  test.each([
    ['{name: smooth-app}', 'loss.sum.1.name: there is no loss "smooth-app"; did you mean "smooth-ap"?'],
    [
      '{name: asl, wieght: 2}',
      'loss.sum.1.wieght: there is no setting of asl "wieght"; did you mean "weight"?',
    ],
    ['{name: auc-margin, margin: 0}', 'loss.sum.1: loss "auc-margin": margin: Too small'],
    ['{name: asl, weight: 0}', 'loss: loss "sum": sum.1.weight: Too small'],
    ['{name: ./my-loss.ts}', 'loss.sum.1.name: a loss in a file can be no part of a sum'],
    ['{weight: 2}', 'loss: loss "sum": sum.1.name: '],
  ])('a part of a sum %s is refused in the words of the rest', (part, message) => {
    const told = refusal(`loss:\n  sum:\n    - {name: bce}\n    - ${part}`);
    expect(told).toContain(message);
    expect(told).toMatch(/^r\.yaml, line [24]: /);
  });

  test('SGD brings its own fields', () => {
    expect(read('optimizer: {name: sgd, lr: 0.1, nesterov: true}').optimizer).toMatchObject({
      name: 'sgd',
      lr: 0.1,
      momentum: 0.9,
      nesterov: true,
    });
  });

  test('a head is named alone or with options, and completed', () => {
    expect(read('').model.head).toEqual({ name: 'linear' });
    expect(read('model: {head: csra}').model.head).toEqual({ name: 'csra', lambda: 0.1 });
    const recipe = read('model: {head: {name: csra_original, heads: 4}}', 'model.head.lambda=0.3');
    expect(recipe.model.head).toEqual({ name: 'csra_original', heads: 4, lambda: 0.3 });
    expect(read(formatRecipe(recipe))).toEqual(recipe);
  });

  test('model.imageSize is short for preprocessing.size', () => {
    const recipe = read('model: {arch: convnextv2_base, imageSize: 512}');
    expect(recipe.preprocessing.size).toEqual([512, 512]);
    expect(recipe.model).not.toHaveProperty('imageSize');
    expect(read('preprocessing: {channels: 3}', 'model.imageSize=[97, 131]').preprocessing).toMatchObject({
      size: [97, 131],
      channels: 3,
    });
    expect(read('model: {imageSize: 64}\npreprocessing: {size: [64, 64]}').preprocessing.size).toEqual([
      64, 64,
    ]);
  });

  test('what is written reads back as the same recipe', () => {
    const numbers = fc.double({ min: 1e-12, max: 10, noNaN: true });
    fc.assert(
      fc.property(numbers, fc.nat(1e6), fc.boolean(), (lr, seed, flip) => {
        const recipe = read(
          'loss: {name: asl, gammaNeg: 4}',
          `optimizer.lr=${lr}`,
          `seed=${seed}`,
          `augment.flip=${flip ? '{p: 0.25}' : 'false'}`,
        );
        expect(recipe.optimizer.lr).toBe(lr);
        expect(read(formatRecipe(recipe))).toEqual(recipe);
      }),
    );
  });

  test('the file’s name is the recipe’s, unless it has one itself', async () => {
    const folder = await temporaryFolder({ 'a-b.yaml': 'seed: 3\n', 'c.yml': 'name: mine\n' });
    expect(await resolveRecipe(join(folder, 'a-b.yaml'))).toMatchObject({ name: 'a-b', recipe: { seed: 3 } });
    expect((await resolveRecipe(join(folder, 'c.yml'))).name).toBe('mine');
  });

  test('differences are named by setting', () => {
    const changed = read('', 'optimizer.lr=0.5', 'augment=false');
    expect(recipeDifferences(read(''), changed)).toContain('optimizer.lr: 0.001 → 0.5');
    expect(recipeDifferences(changed, changed)).toEqual([]);
  });
});

describe('changes from the command line', () => {
  test('are read as YAML', () => {
    const recipe = read(
      'loss: {name: asl}',
      'loss.gammaNeg=4',
      'optimizer.betas=[0.8, 0.99]',
      'augment=false',
      'data.path=x=y.csv',
      'optimizer.lr=1e-4',
    );
    expect(recipe.loss).toMatchObject({ name: 'asl', gammaNeg: 4, gammaPos: 1, reduction: 'mean' });
    expect(recipe.optimizer).toMatchObject({ betas: [0.8, 0.99], lr: 1e-4 });
    expect(recipe.augment).toBe(false);
    expect(recipe.data.path).toBe('x=y.csv');
  });

  test('the last one wins, and a place in a list can be set', () => {
    const recipe = read('', 'seed=1', 'seed=2', 'preprocessing.size=[64, 64]', 'preprocessing.size.1=32');
    expect(recipe.seed).toBe(2);
    expect(recipe.preprocessing.size).toEqual([64, 32]);
  });

  test.each([
    [['seed'], /--set seed: expected path\.to\.setting=value/],
    [['=3'], /expected path\.to\.setting=value/],
    [['loss..x=3'], /expected path\.to\.setting=value/],
    [['seed=[1'], /--set seed=\[1: the value: not valid YAML/],
    [['seed=1', 'seed.x=2'], /--set seed\.x=2: seed is 1 in the recipe and has no settings inside/],
    [
      ['augment=false', 'augment.flip.p=0.1'],
      /augment is false .* set augment itself.*augment=\{flip: \{p: …\}\}/,
    ],
    [
      ['optimizer.betas=[0.9, 0.9]', 'optimizer.betas.2=1'],
      /optimizer\.betas is a list of 2; "2" is no place in it/,
    ],
    [
      ['optimiser.lr=1'],
      /--set optimiser\.lr=1: .*there is no setting "optimiser"; did you mean "optimizer"\?/,
    ],
    [['optimizer.lr=fast'], /--set optimizer\.lr=fast: optimizer\.lr: .*expected number/],
  ])('%j is refused', (overrides, message) => {
    expect(refusal('', ...overrides)).toMatch(message);
  });
});

describe('what nobody wrote by hand', () => {
  const keys = (n: number) => Array.from({ length: n }, (_, i) => `key${i}: 1`);

  test.each([
    ['the recipe', (n: number) => keys(n).join('\n'), ''],
    ['the loss', (n: number) => `loss: {name: asl, ${keys(n).join(', ')}}`, 'of asl '],
    ['the head', (n: number) => `model: {head: {name: csra, ${keys(n).join(', ')}}}`, 'of csra '],
    ['the optimizer', (n: number) => `optimizer: {name: sgd, ${keys(n).join(', ')}}`, 'of sgd '],
  ])('20,000 unknown keys of %s take seconds and a few lines', (_, text, of) => {
    const begun = performance.now();
    const message = refusal(text(20_000));
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(message.split('\n').length).toBeLessThan(10);
    expect(message).toContain(`key4: there is no setting ${of}"key4"`);
    expect(message).not.toContain('key5');
    expect(message).toContain(`and 19,995 more that are no setting ${of}either`);
  });

  test('many wrong values are told by their first, and a long name is cut', () => {
    const message = refusal(`data: {classes: [${'1, '.repeat(50_000)}]}`);
    expect(message.split('\n').length).toBe(21);
    expect(message).toContain('and 49,980 more like these');
    expect(refusal(`${'x'.repeat(1000)}: 1`).length).toBeLessThan(2000);
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'])(
    '%s is the name of nothing',
    (name) => {
      expect(() => defineModel({ arch: name, classes: 2 })).toThrow(/there is no architecture/);
      expect(refusal(`model: {head: ${name}}`)).toMatch(/there is no head/);
      expect(refusal(`loss: {name: ${name}}`)).toMatch(/there is no loss/);
      expect(refusal(`sampler: {name: ${name}}`)).toMatch(/there is no sampler/);
      expect(refusal(`optimizer: {name: ${name}}`)).toMatch(/there is no optimizer/);
      for (const section of ['', 'data.', 'loss.', 'optimizer.', 'model.head.', 'sampler.', 'ema.']) {
        expect(refusal('loss: {name: asl}\nmodel: {head: {name: csra}}', `${section}${name}=1`)).toMatch(
          /there is no setting|no setting is called/,
        );
        expect(refusal('model: {head: {name: csra}}', `${section}${name}.a.b=1`)).toMatch(
          /there is no setting|no setting is called/,
        );
      }
      expect(refusal(`stages: [{${name}: 1}]`)).toMatch(/there is no setting|can’t be called/);
      expect(refusal(`loss: {name: asl, ${name}: 1}`)).toMatch(/there is no setting|can’t be called/);
    },
  );
});

describe('what is no recipe is refused with its place', () => {
  test.each([
    ['seed: 1\noptimizer:\n  lrr: 0.1\n', /r\.yaml, line 3: optimizer\.lrr: .*did you mean "lr"\?/],
    ['modl: {}\n', /line 1: modl: there is no setting "modl"; did you mean "model"\?/],
    ['zzzzzzzzz: 1\n', /there is no setting "zzzzzzzzz"; there are name, seed, data,/],
    ['optimizer: {name: sgd, momentun: 0.9}\n', /did you mean "momentum"\?/],
    [
      'optimizer: {name: sgd, betas: [0.9, 0.9]}\n',
      /there is no setting of sgd "betas"; there are .*nesterov/,
    ],
    ['optimizer: {name: adam}\n', /line 1: optimizer\.name: .*adamw/],
    ['augment:\n  flip:\n    probability: 0.1\n', /line 3: augment\.flip\.probability: .*there are p/],
    ['augment: {flip: yes please}\n', /augment\.flip: expected false or settings/],
    ['ema: 0.99\n', /ema: expected false or settings/],
    ['schedule: {epochs: 0}\n', /schedule\.epochs: .*>=1/],
    ['schedule: {epochs: 2.5}\n', /schedule\.epochs: .*int/],
    ['schedule: {warmupEpochs: 1, warmupSteps: 5}\n', /not both/],
    ['preprocessing: {mean: [0.1, 0.2]}\n', /2 values for 1 channels/],
    [
      'preprocessing: {size: [64, 64]}\nmodel: {arch: resnet18,\n  imageSize: 96}\n',
      /line 3: model\.imageSize: is 96 × 96, but preprocessing\.size is 64 × 64; give one of them/,
    ],
    ['model: {imageSize: 0}\n', /model\.imageSize: .*>=1/],
    ['model: {imageSize: [64]}\n', /model\.imageSize/],
    ['batchSize: many\n', /line 1: batchSize: .*expected number/],
    ['loss: {name: asll}\n', /line 1: loss\.name: there is no loss "asll"; did you mean "asl"\?/],
    [
      'loss:\n  name: asl\n  gamaNeg: 4\n',
      /line 3: loss\.gamaNeg: there is no setting of asl "gamaNeg"; did you mean "gammaNeg"\?/,
    ],
    ['loss: {name: asl, gammaNeg: -1}\n', /loss: loss "asl": gammaNeg: .*>=0/],
    [
      'sampler: {name: repeat-factr}\n',
      /line 1: sampler\.name: there is no sampler "repeat-factr"; did you mean "repeat-factor"\?/,
    ],
    ['sampler: {name: 3}\n', /sampler\.name: expected shuffled or repeat-factor or class-aware/],
    ['sampler:\n  name: repeat-factor\n  treshold: 1\n', /line 3: sampler\.treshold: .*mean "threshold"\?/],
    ['sampler: {name: repeat-factor, threshold: 2}\n', /sampler\.threshold: .*<=1/],
    ['sampler: {name: repeat-factor, frequency: image}\n', /sampler\.frequency: .*"images"/],
    ['sampler: {name: class-aware, cap: 3}\n', /there is no setting "cap"; there are name, epochFactor/],
    ['sampler: class-aware\n', /sampler: expected settings/],
    ['model:\n  head: crsa\n', /line 2: model\.head\.name: there is no head "crsa"; did you mean "csra"\?/],
    [
      'model: {head: {name: csra, lamda: 1}}\n',
      /model\.head\.lamda: .*csra "lamda"; did you mean "lambda"\?/,
    ],
    [
      'model: {head: {name: csra_original, heads: 3}}\n',
      /model\.head: head "csra_original": heads: .*1\|2\|4/,
    ],
    ['model: {head: 5}\n', /model\.head: expected string or settings/],
    ['name: ../escape\n', /letters, digits/],
    ['- 1\n', /expected object/],
    ['seed: 1\nseed: 2\n', /line 2: not valid YAML: the key "seed" occurs twice/],
    ['seed: [1\n', /not valid YAML/],
  ])('%j', (text, message) => {
    expect(refusal(text)).toMatch(message);
  });

  test('a wrong short form is one finding', () => {
    expect(refusal('model: {imageSize: 0}').split('\n')).toHaveLength(1);
  });

  test('all findings at once, a line each', () => {
    expect(refusal('seed: -1\nbatchSize: 0\nfoo: 1\n').split('\n')).toHaveLength(3);
  });

  test('a missing file', async () => {
    await expect(resolveRecipe('/nowhere/x.yaml')).rejects.toThrow(/x\.yaml: there is no such recipe/);
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'b.yaml'), 'sed: 1');
    await expect(resolveRecipe(join(folder, 'b.yaml'))).rejects.toThrow(/did you mean "seed"/);
  });

  test('any YAML gives a recipe or a RecipeError', () => {
    const value = fc.oneof(
      fc.integer(),
      fc.boolean(),
      fc.string(),
      fc.constant(null),
      fc.array(fc.integer()),
    );
    const section = fc.constantFrom(
      'data',
      'model',
      'optimizer',
      'augment',
      'ema',
      'preprocessing',
      'loss',
      'x',
    );
    const key = fc.constantFrom('name', 'lr', 'flip', 'decay', 'size', 'window', 'p');
    fc.assert(
      fc.property(fc.dictionary(section, fc.oneof(value, fc.dictionary(key, value))), (any) => {
        try {
          read(JSON.stringify(any));
        } catch (error) {
          expect(error).toBeInstanceOf(RecipeError);
          expect((error as Error).message).not.toBe('');
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('a name is near when it takes few edits, a swap counting as one', () => {
  expect(nearestName('gamaNeg', ['gammaPos', 'gammaNeg', 'clip'])).toBe('gammaNeg');
  expect(nearestName('rl', ['lr', 'eps'])).toBe('lr');
  expect(nearestName('completely', ['lr', 'eps'])).toBeUndefined();
});
