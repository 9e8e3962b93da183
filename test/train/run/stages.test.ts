import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mergeRecipe, UNNAMED } from '../../../src/recipe/merge-recipe.js';
import { formatRecipe, parseRecipe } from '../../../src/recipe/recipe.js';
import { keptIn, mapPaths } from '../../../src/recipe/recipe-paths.js';
import { type Recipe, recipeSchema } from '../../../src/recipe/recipe-schema.js';
import { finalRecipe, recipeOfStage, stageRecipes } from '../../../src/recipe/recipe-stages.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { readCheckpoint } from '../../../src/weights/checkpoint.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { prepared, TINY_RECIPE, writeTinyDataset } from './tiny-run.js';

const parse = (text: string) => parseRecipe(text, { path: 'staged.yaml' });

describe('a recipe with stages', () => {
  const recipe = parse(`
loss: {name: asl, gammaNeg: 2}
optimizer: {lr: 0.1, groups: {head: 10}}
schedule: {epochs: 7}
ema: {decay: 0.9}
stages:
  - schedule: {epochs: 3, kind: constant}
    optimizer: {groups: {backbone: {freeze: true}}}
    ema: false
  - loss: {margin: 0.2}
    head: reset
    start: best
  - loss: {name: bce}
    optimizer: {name: sgd}
    augment: false
    sampler: {name: class-aware}
`);
  const [first, second, third] = stageRecipes(recipe) as [Recipe, Recipe, Recipe];

  test('puts what a stage says over the recipe, not over the stage before', () => {
    expect(first.schedule).toMatchObject({ epochs: 3, kind: 'constant', floor: 0.01 });
    expect(first.optimizer).toMatchObject({ lr: 0.1, groups: { backbone: { freeze: true }, head: 10 } });
    expect(first.ema).toBe(false);
    expect(first.loss).toEqual(recipe.loss);
    expect(second.schedule).toEqual(recipe.schedule);
    expect(second.optimizer).toEqual(recipe.optimizer);
    expect(second.ema).toEqual({ decay: 0.9, warmup: true });
    expect(second.loss).toMatchObject({ name: 'asl', gammaNeg: 2, margin: 0.2 });
  });

  test('replaces a section that names another alternative', () => {
    expect(third.loss).toMatchObject({ name: 'bce', posWeight: 1 });
    expect(third.loss).not.toHaveProperty('gammaNeg');
    expect(third.optimizer).toMatchObject({ name: 'sgd', lr: 0.001 });
    expect(third.augment).toBe(false);
    expect(third.sampler.name).toBe('class-aware');
  });

  test('is the same when its resolved form is read again', () => {
    expect(parse(formatRecipe(recipe))).toEqual(recipe);
    expect(recipe.stages?.[1]).toEqual({ start: 'best', head: 'reset', loss: second.loss });
  });

  test('says what is wrong in which stage', () => {
    expect(() => parse('stages:\n  - {}\n  - loss:\n      name: asl\n      gamaNeg: 1')).toThrow(
      /staged\.yaml, line 5: stages\.1\.loss\.gamaNeg: there is no setting of asl "gamaNeg"; did you mean "gammaNeg"/,
    );
    expect(() => parse('stages:\n  - sheduler: {}')).toThrow(
      /line 2: stages\.0\.sheduler: there is no setting "sheduler"; did you mean "schedule"/,
    );
    expect(() => parse('stages: [{optimizer: {lr: -1}}]')).toThrow(/stages\.0\.optimizer\.lr/);
    expect(() => parse('stages: [{head: reset}]')).toThrow(
      /stages\.0\.head: the first stage has none before/,
    );
    expect(() => parse('stages: []')).toThrow(/stages/);
  });
});

describe('a stage with data, preprocessing and head of its own', () => {
  const recipe = parse(`
data: {path: b.csv, images: b, classes: [x, y], validationFraction: 0.2}
preprocessing: {channels: 3}
model: {arch: convnextv2_atto, imageSize: 96, head: {name: csra, lambda: 0.2}, dropPathRate: 0.2}
stages:
  - data: {path: a.csv}
    model: {head: linear, imageSize: 64}
  - head: reset
    data: {images: c}
    model: {dropRate: 0.1}
`);
  const [first, second] = stageRecipes(recipe) as [Recipe, Recipe];

  test('has the rest from the recipe, but nothing that describes another table', () => {
    expect(first.data).toMatchObject({ path: 'a.csv', validationFraction: 0.2 });
    expect(first.data).not.toHaveProperty('images');
    expect(first.data).not.toHaveProperty('classes');
    expect(second.data).toMatchObject({ path: 'b.csv', images: 'c', classes: ['x', 'y'] });
    expect(first.preprocessing).toMatchObject({ size: [64, 64], channels: 3 });
    expect(second.preprocessing).toMatchObject({ size: [96, 96], channels: 3 });
    expect(first.model).toMatchObject({
      arch: 'convnextv2_atto',
      head: { name: 'linear' },
      dropPathRate: 0.2,
    });
    expect(second.model).toMatchObject({
      head: { name: 'csra', lambda: 0.2 },
      dropRate: 0.1,
      dropPathRate: 0.2,
    });
    expect(finalRecipe(recipe)).toEqual(second);
    expect(recipeOfStage(recipe, '1')).toEqual(first);
    expect(() => recipeOfStage(recipe, 'tune')).toThrow(/no stage tune; there are 1, 2\./);
  });

  test('is the same when its resolved form is read again, also where its paths start in its folder', () => {
    expect(parse(formatRecipe(recipe))).toEqual(recipe);
    const placed = mapPaths(recipe, (path) => resolve(path));
    expect(placed.stages?.map(({ data }) => data?.path)).toEqual([resolve('a.csv'), resolve('b.csv')]);
    const kept = formatRecipe(keptIn('/runs/r', placed));
    expect(parseRecipe(kept, { path: '/runs/r/recipe.yaml' })).toEqual(placed);
  });

  test('shares the backbone', () => {
    expect(() => parse('stages:\n  - {}\n  - model:\n      arch: resnet18')).toThrow(
      /line 4: stages\.1\.model\.arch: all stages train one backbone: say model\.arch for the whole recipe/,
    );
    expect(() => parse('stages: [{model: {weights: a.safetensors}}]')).toThrow(
      /stages\.0\.model\.weights: all/,
    );
    expect(() => parse('stages: [{model: {haed: csra}}]')).toThrow(/did you mean "head"/);
  });

  test('says what is wrong with its head and size', () => {
    expect(() => parse('stages: [{model: {head: {name: csra, lamda: 1}}}]')).toThrow(
      /stages\.0\.model\.head\.lamda: there is no setting of csra "lamda"; did you mean "lambda"/,
    );
    expect(() => parse('stages: [{model: {imageSize: 64}, preprocessing: {size: [32, 32]}}]')).toThrow(
      /stages\.0\.model\.imageSize: is 64 × 64, but preprocessing\.size is 32 × 32/,
    );
  });

  test('keeps no head that the stage before did not have', () => {
    expect(() => parse('model: {head: csra}\nstages:\n  - model: {head: linear}\n  - name: on')).toThrow(
      /line 4: stages\.1\.head: the head of the stage before can't be kept: it was linear, and this one is csra; say head: reset/,
    );
    expect(() => parse('data: {classes: [a, b]}\nstages: [{}, {data: {classes: [b, a]}}]')).toThrow(
      /stages\.1\.head: .* it scores other classes, or in another order; say head: reset/,
    );
    expect(() => parse('model: {head: ml_decoder}\nstages: [{model: {head: {width: 64}}}, {}]')).toThrow(
      /stages\.1\.head: .* its settings gave it other weights/,
    );
    // λ is no weight
    parse('model: {head: {name: csra}}\nstages: [{model: {head: {name: csra, lambda: 0.5}}}, {}]');
  });
});

describe('merging', () => {
  test('knows what a section is that names nothing', () => {
    const { loss, optimizer, sampler, model } = recipeSchema.parse({});
    const names = { loss, optimizer, sampler, 'model.head': model.head };
    expect(Object.fromEntries(Object.entries(names).map(([key, { name }]) => [key, name]))).toEqual(UNNAMED);
  });

  test('merges the default alternative by its name, and lists not at all', () => {
    expect(mergeRecipe({ loss: { posWeight: 2 } }, { loss: { name: 'bce' } })).toEqual({
      loss: { posWeight: 2, name: 'bce' },
    });
    expect(mergeRecipe({ name: 'a', batchSize: 4 }, { name: 'b' })).toEqual({ name: 'b', batchSize: 4 });
    expect(mergeRecipe({ a: [1, 2] }, { a: [3] })).toEqual({ a: [3] });
    expect(mergeRecipe({ ema: false }, { ema: { decay: 0.5 } })).toEqual({ ema: { decay: 0.5 } });
  });
});

/** Eight steps of everything, then twelve of a fresh head alone, in smaller batches. */
const STAGES = `
stages:
  - name: all
    schedule: {epochs: 2}
  - name: retrain
    start: best
    head: reset
    batchSize: 3
    schedule: {epochs: 2}
    sampler: {name: class-aware}
    optimizer: {groups: {backbone: {freeze: true}}}
`;

describe('a run in stages', () => {
  let folder: string;
  let data: TrainingData;
  let whole: Record<string, string>;
  const recipe = parse(TINY_RECIPE + STAGES);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailray-stages-'));
    data = await examineTrainingData(await writeTinyDataset(folder), recipe);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  interface TrainOptions {
    recipe?: Recipe;
    run?: RunDirectory;
    resume?: boolean;
    stopAfter?: number;
    listen?: RunListener;
  }

  async function train({ recipe: own = recipe, resume, stopAfter, listen, ...given }: TrainOptions = {}) {
    const run = given.run ?? new RunDirectory(join(await temporaryFolder(), 'run'));
    const summary = await trainRun(prepared({ recipe: own, data, run, resume }), {
      device: await testDevice(),
      stopAfter,
      ...(listen && { listeners: [listen] }),
    });
    return { run, summary };
  }

  async function bytesOf(run: RunDirectory): Promise<Record<string, string>> {
    const last = await readdir(join(run.path, 'last'), { recursive: true });
    const names = [
      'best.safetensors',
      'predictions.csv',
      'summary.json',
      ...last.map((name) => join('last', name)).sort(),
    ];
    const contents = await Promise.all(
      names.map((name) => readFile(join(run.path, name), 'base64').catch(() => 'a folder')),
    );
    const lines = (await run.metrics.read()).map((line) => ({ ...line, seconds: 0, dataWaitSeconds: 0 }));
    return {
      ...Object.fromEntries(names.map((name, i) => [name, contents[i] ?? ''])),
      lines: JSON.stringify(lines),
    };
  }

  test('goes from stage to stage, counts through them, and begins schedules anew', async () => {
    const starts: number[] = [];
    const listen: RunListener = (event) => {
      if (event.kind !== 'ready') return;
      const { trainer, progress, stage } = event;
      starts.push(stage.number);
      expect(progress.step).toBe(stage.firstStep);
      expect(stage.run).toEqual({ stages: 2, epochs: 4, steps: 20 });
      expect(trainer.schedule.totalSteps).toBe([8, 12][stage.number - 1]);
    };
    const { run, summary } = await train({ listen });
    expect(starts).toEqual([1, 2]);
    expect(summary).toMatchObject({ status: 'finished', epochs: 4, steps: 20 });
    expect(summary.best?.epoch).toBeGreaterThan(2);
    const lines = await run.metrics.read();
    expect(lines.map((line) => [line.kind !== 'rollback' && line.stage, line.step])).toEqual([
      ...[2, 4, 4, 6, 8, 8].map((step) => [1, step]),
      ...[10, 12, 14, 14, 16, 18, 20, 20].map((step) => [2, step]),
    ]);
    const rates = lines.flatMap((line) => (line.kind === 'step' ? [line.learningRate] : []));
    // warm-up over two steps in each stage, then a cosine over its own length
    const cosine = (t: number) => 0.01 * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * t)));
    expect(rates[0]).toBeCloseTo(0.01, 12);
    expect(rates[3]).toBeCloseTo(cosine(5 / 6), 12);
    expect(rates[4]).toBeCloseTo(0.01, 12);
    expect(rates.at(-1)).toBeCloseTo(cosine(9 / 10), 12);
    whole = await bytesOf(run);
  });

  test('re-trains a fresh head on a backbone that keeps its bits', async () => {
    const { run: first } = await train({ stopAfter: 8 });
    const begun = await train({ run: first, resume: true, stopAfter: 1 });
    expect((await first.saved.about())?.progress).toMatchObject({ stage: 2, step: 9 });
    const start = (await readCheckpoint(first.best)).tensors;
    await train({ run: begun.run, resume: true });
    const end = (await readCheckpoint(first.best)).tensors;
    for (const [name, { data: values }] of start) {
      if (name.startsWith('fc.')) expect(end.get(name)?.data).not.toEqual(values);
      else expect(end.get(name)?.data, name).toEqual(values);
    }
  });

  // in the first stage, at its end before its validation, at the second's start, in it, everywhere
  test.each([[[3]], [[8]], [[9]], [[13]], [[1, 7, 1, 6, 5]]])(
    'stopped after %j steps and resumed, it gives the same bytes',
    async (stops) => {
      const run = new RunDirectory(join(await temporaryFolder(), 'run'));
      for (const [i, stopAfter] of stops.entries()) {
        expect((await train({ run, stopAfter, resume: i > 0 })).summary.status).toBe('stopped');
      }
      const { summary } = await train({ run: new RunDirectory(run.path), resume: true });
      expect(summary.status).toBe('finished');
      expect(await bytesOf(run)).toEqual(whole);
    },
  );

  test('a process that died after the second stage kept a checkpoint, but before it saved, loses no exactness', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const crash: RunListener = (event) => {
      if (event.kind === 'epoch' && event.line.epoch === 3) throw new Error('power cut');
    };
    await expect(train({ run, listen: crash })).rejects.toThrow('power cut');
    // the checkpoint that the second stage began from is gone by now
    expect((await readCheckpoint(run.best)).epoch).toBe(3);
    expect((await run.saved.about())?.progress).toMatchObject({ stage: 2, step: 8 });
    await train({ run, resume: true });
    expect(await bytesOf(run)).toEqual(whole);
  });

  test('two stages that differ in nothing are one training', async () => {
    const plain =
      `${TINY_RECIPE.replace('optimizer: {lr: 0.01}', 'optimizer: {name: sgd, lr: 0.05, momentum: 0}')}
ema: false
`.replace('schedule: {epochs: 3, warmupSteps: 2}', 'schedule: {epochs: 3, kind: constant}');
    const one = await train({ recipe: parse(plain) });
    const two = await train({
      recipe: parse(`${plain}stages: [{schedule: {epochs: 2}}, {schedule: {epochs: 1}}]`),
    });
    const params = (run: RunDirectory) => savedParams(run);
    expect(await params(two.run)).toEqual(await params(one.run));
    const third = (await two.run.metrics.read()).at(-1);
    expect(third).toMatchObject({
      ...(await one.run.metrics.read()).at(-1),
      stage: 2,
      seconds: expect.any(Number),
      dataWaitSeconds: expect.any(Number),
      best: true,
    });
  });

  test('ends a stage early that gets no better, also after an interruption, and goes on with the next', async () => {
    // with such a rate, and batch norms that hold their statistics, nothing changes after the first epoch
    const frozen = 'groups: [{match: [conv1, bn1, layer1, layer2, layer3, layer4], freeze: true}]';
    const still = parse(`${TINY_RECIPE.replace('lr: 0.01', `lr: 1e-30, ${frozen}`)}
validation: {patience: 2}
stages:
  - schedule: {epochs: 6}
  - schedule: {epochs: 4}
`);
    const notes: string[] = [];
    const listen: RunListener = (event) => {
      if (event.kind === 'note') notes.push(event.note);
    };
    const { run, summary } = await train({ recipe: still, listen });
    expect(notes).toEqual([
      'no better validation for 2 epochs: ends after epoch 3 of 6.',
      'no better validation for 2 epochs: ends after epoch 9 of 10.',
    ]);
    const [{ steps: perEpoch }] = [{ steps: summary.steps / 6 }];
    expect(summary).toMatchObject({ epochs: 6, best: { epoch: 7 } });
    const epochs = (await run.metrics.read()).filter((line) => line.kind === 'epoch');
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 7, 8, 9]);
    const other = await train({ recipe: still, stopAfter: 2 * perEpoch + 1 });
    expect(other.summary.status).toBe('stopped');
    const resumed = await train({ recipe: still, run: other.run, resume: true });
    expect(resumed.summary).toEqual(summary);
    expect(await readFile(resumed.run.predictions, 'utf8')).toBe(await readFile(run.predictions, 'utf8'));
  });

  test('the best epoch may be of any stage', async () => {
    const still = `optimizer: {lr: 1.0e-9}`;
    const recipes = ['last-stage', 'any-stage'].map((best) =>
      parse(`${TINY_RECIPE}checkpoint: {best: ${best}}
stages: [{schedule: {epochs: 1}}, {${still}, schedule: {epochs: 1}, head: reset}]`),
    );
    const summaries = [];
    for (const each of recipes) summaries.push((await train({ recipe: each })).summary);
    expect(summaries[0]?.best?.epoch).toBe(2);
    expect((summaries[1]?.best?.mAP ?? 0) >= (summaries[0]?.best?.mAP ?? 1)).toBe(true);
  });
});

async function savedParams(run: RunDirectory): Promise<Buffer> {
  const [folder] = (await readdir(join(run.path, 'last'))).filter((name) => name.startsWith('step-12'));
  return readFile(join(run.path, 'last', folder ?? '', 'params.safetensors'));
}

test('a file with a loss is the whole recipe’s; stages may change its parameters, or take another loss', () => {
  const recipe = parse('loss: {name: ./mine.mjs}\nstages: [{loss: {gamma: 2}}, {loss: {name: bce}}]');
  const [first, second] = stageRecipes(recipe);
  expect(first?.loss).toMatchObject({ name: './mine.mjs', gamma: 2 });
  expect(second?.loss.name).toBe('bce');
  expect(() => parse('stages: [{loss: {name: ./mine.mjs}}]')).toThrow(
    /stages\.0\.loss\.name: only the loss of the whole recipe may be a file/,
  );
});
