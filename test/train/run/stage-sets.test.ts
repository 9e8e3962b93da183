import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectScores } from '../../../src/compare/collect-scores.js';
import { planComparison } from '../../../src/compare/comparison-plan.js';
import { runCells } from '../../../src/compare/run-cells.js';
import { exportTimm } from '../../../src/models/weights/timm-weights.js';
import { readPredictions } from '../../../src/predict/predictions.js';
import { resolveRecipe } from '../../../src/recipe/recipe.js';
import { stageRecipes } from '../../../src/recipe/recipe-stages.js';
import { openEvaluation } from '../../../src/report/evaluation-subject.js';
import { writeModelCard } from '../../../src/report/model-card.js';
import { writeReport } from '../../../src/report/report.js';
import { prepareRun } from '../../../src/train/run/prepare-run.js';
import type { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import { planRun } from '../../../src/train/run/run-plan.js';
import { ExaminedSets } from '../../../src/train/run/stage-data.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import type { Trainer } from '../../../src/train/step/trainer.js';
import { TensorboardLog } from '../../../src/train/tensorboard/tensorboard-log.js';
import { readCheckpoint } from '../../../src/weights/checkpoint.js';
import { trainedClasses } from '../../../src/weights/trained-classes.js';
import { testDevice } from '../../device.js';
import { writeTinyDataset } from './tiny-run.js';

/** A run whose stages train on two sets: three classes at 16 pixels, then two others at 24 with another head. */

let folder: string;
const PRE_TRAINED = ['left half', 'lines', 'frame'];

/** Eight steps on the first set, twelve on the second. */
const RECIPE = `
data: {path: second, validationFraction: 0.25}
preprocessing: {size: [24, 24]}
model: {arch: resnet10, stem: small-stride2, width: 4, head: csra, dropRate: 0.1}
batchSize: 3
schedule: {epochs: 2, warmupSteps: 2}
optimizer: {lr: 0.01}
logEvery: 2
stages:
  - name: pretrain
    data: {path: first}
    preprocessing: {size: [16, 16]}
    model: {head: linear, dropRate: 0}
    batchSize: 4
  - name: finetune
    start: best
    head: reset
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-sets-'));
  await writeTinyDataset(join(folder, 'first'), 24, PRE_TRAINED);
  await writeTinyDataset(join(folder, 'second'), 24);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface TrainOptions {
  readonly set?: readonly string[];
  readonly text?: string;
  readonly resume?: boolean;
  readonly stopAfter?: number;
  readonly listen?: RunListener;
}

async function prepare(out: string, { set = [], text = RECIPE, resume = false }: TrainOptions) {
  const recipe = join(folder, `${out}.yaml`);
  const placed = text
    .replace('path: first', `path: ${join(folder, 'first')}`)
    .replace('path: second', `path: ${join(folder, 'second')}`);
  await writeFile(recipe, placed);
  const plan = await planRun({ ...(!resume && { recipe }), set, out: join(folder, out), resume });
  return prepareRun(plan, { cache: folder });
}

async function train(out: string, options: TrainOptions = {}) {
  const prepared = await prepare(out, options);
  const { stopAfter, listen } = options;
  const summary = await trainRun(prepared, {
    device: await testDevice(),
    stopAfter,
    listeners: listen ? [listen] : [],
  });
  return { run: prepared.run, summary };
}

async function bytesOf({ path, metrics }: RunDirectory): Promise<Record<string, string>> {
  const last = await readdir(join(path, 'last'), { recursive: true });
  const names = [
    'best.safetensors',
    'predictions.csv',
    'summary.json',
    'recipe.yaml',
    ...last.map((name) => join('last', name)).sort(),
  ];
  const contents = await Promise.all(
    names.map((name) => readFile(join(path, name), 'base64').catch(() => 'a folder')),
  );
  const lines = (await metrics.read()).map((line) => ({ ...line, seconds: 0, dataWaitSeconds: 0 }));
  return {
    ...Object.fromEntries(names.map((name, i) => [name, contents[i] ?? ''])),
    lines: JSON.stringify(lines),
  };
}

describe('stages with sets of their own', () => {
  let whole: Record<string, string>;

  test('end with the network, classes and scores of the last one', async () => {
    const trainers: Trainer[] = [];
    let handedOver: [name: string, kept: unknown, got: unknown][] = [];
    const { run, summary } = await train('whole', {
      async listen(event) {
        if (event.kind !== 'ready') return;
        trainers.push(event.trainer);
        if (event.stage.number === 1) return;
        // nothing of the second stage was kept yet: this is the best of the first
        const best = await readCheckpoint(join(folder, 'whole', 'best.safetensors'));
        expect(best.classes).toEqual(PRE_TRAINED);
        const now = exportTimm(event.trainer.base, await event.trainer.weights());
        handedOver = [...now].map(([name, { data }]) => [name, best.tensors.get(name)?.data, data]);
      },
    });
    whole = await bytesOf(run);
    expect(
      trainers.map(({ base: { config } }) => [config.head.name, config.classes, config.imageSize]),
    ).toEqual([
      ['linear', 3, [16, 16]],
      ['csra', 2, [24, 24]],
    ]);
    const backbone = handedOver.filter(([name]) => !/^(?:bn|head|fc)\./.test(name));
    expect(backbone.length).toBe(handedOver.length - 8);
    for (const [name, kept, got] of backbone) expect(got, name).toEqual(kept);
    expect(summary).toMatchObject({
      classes: ['bright', 'striped'],
      epochs: 4,
      steps: 20,
      model: { arch: 'resnet10', head: { name: 'csra' }, dropRate: 0.1 },
      stages: [
        { name: 'pretrain', classes: PRE_TRAINED },
        { name: 'finetune', classes: ['bright', 'striped'] },
      ],
    });
    expect(summary.best?.epoch).toBeGreaterThan(2);
    const best = await readCheckpoint(run.best);
    expect(best).toMatchObject({
      classes: ['bright', 'striped'],
      seenBefore: PRE_TRAINED,
      preprocessing: { size: [24, 24] },
    });
    expect(await trainedClasses(run.best)).toEqual(['bright', 'striped', ...PRE_TRAINED]);
    expect(JSON.stringify(best.recipe)).not.toContain('first');
    expect((await readPredictions(run.predictions)).classes).toEqual(['bright', 'striped']);
  });

  // in the first stage, at its end before its validation, at the second's start, in it, everywhere
  test.each([[[3]], [[8]], [[9]], [[15]], [[1, 7, 1, 6]]])(
    'stopped after %j steps and resumed, they give the same bytes',
    async (stops) => {
      // the recipe's paths start in the run's folder, so it must lie beside the other
      const out = `stopped-${stops.join('-')}`;
      for (const [i, stopAfter] of stops.entries()) {
        const { summary } = await train(out, { stopAfter, resume: i > 0 });
        expect(summary).toMatchObject({ status: 'stopped', classes: ['bright', 'striped'] });
      }
      const { run } = await train(out, { resume: true });
      expect(await bytesOf(run)).toEqual(whole);
    },
  );

  test('are repeated by the recipe that the run keeps', async () => {
    const kept = await readFile(join(folder, 'whole', 'recipe.yaml'), 'utf8');
    expect(kept).toContain('path: ../first\n');
    expect(kept).not.toContain(folder);
    const request = { recipe: join(folder, 'whole', 'recipe.yaml'), out: join(folder, 'again') };
    const prepared = await prepareRun(await planRun(request), { cache: folder });
    await trainRun(prepared, { device: await testDevice() });
    expect(await bytesOf(prepared.run)).toEqual(whole);
  });

  test('are reported with curves apart, and in a model card', async () => {
    const run = join(folder, 'whole');
    const { path } = await writeReport([run], { resamples: 20 });
    const page = await readFile(path, 'utf8');
    const plot = page.split('<figcaption>Validation mAP</figcaption>')[1]?.split('</figure>')[0] ?? '';
    expect(plot.split('class="line series"').length - 1).toBe(2);
    expect(plot.split('class="border"').length - 1).toBe(1);
    expect(page).toContain('(pretrain, finetune). Stages were validated on different images and classes');
    expect(page).toContain('resnet10 (width 4, stem small-stride2, head csra)');
    expect(page).toMatch(/2 epochs, 18 images, 3 classes, head linear/);
    expect(page).toMatch(/of 4, by validation mAP/);
    expect(page).not.toContain(folder);
    await writeModelCard(join(run, 'best.safetensors'));
    const card = await readFile(join(run, 'model-card.md'), 'utf8');
    expect(card).toMatch(/earlier stages of the training saw:\n+- pretrain: 18 training images, 3 classes/);
    expect(card).not.toContain(folder);
  });

  test('have curves of their own in TensorBoard', async () => {
    const log = new TensorboardLog(join(folder, 'curves'));
    await train('logged', { listen: (event) => log.listen(event) });
    const [file = ''] = await readdir(join(folder, 'curves'));
    const text = await readFile(join(folder, 'curves', file), 'latin1');
    expect(text).toContain('validation_pretrain/mAP');
    expect(text).toContain('validation_finetune/mAP');
    expect(text).not.toContain('validation/mAP');
  });

  test('go on with --recipe as well, and only with the same data in every stage', async () => {
    const run = (await train('named', { stopAfter: 2 })).run.path;
    const request = { recipe: join(folder, 'named.yaml'), out: run, resume: true };
    expect((await planRun(request)).resume).toBe(true);
    const moved = { ...request, set: [`stages.0.data.path=${join(folder, 'second')}`] };
    await expect(planRun(moved)).rejects.toThrow(/begun with other settings.*stages\.0\.data\.path: .*first/);
    const table = join(folder, 'first', 'train.csv');
    const text = await readFile(table, 'utf8');
    await writeFile(table, text.replace('0.png,p0,0,', '0.png,p0,1,'));
    try {
      await expect(train('named', { resume: true })).rejects.toThrow(
        /images, labels or the split are others/,
      );
    } finally {
      await writeFile(table, text);
    }
  });

  test('say where their data are once, so that --data moves all that have them from the recipe', async () => {
    const text = RECIPE.replace('start: best', 'data: {validationFraction: 0.5}\n    start: best');
    const { recipe, run } = await prepare('inherited', { text });
    await run.begin(recipe);
    expect(await run.recipe()).toEqual(recipe);
    const kept = join(run.path, 'recipe.yaml');
    const [first, second] = stageRecipes((await resolveRecipe(kept, ['data.path=elsewhere'])).recipe);
    expect(first?.data.path).toBe(join(folder, 'first'));
    expect(second?.data).toMatchObject({ path: 'elsewhere', validationFraction: 0.5 });
  });

  test('are evaluated on the last one’s images', async () => {
    const request = { subject: join(folder, 'whole'), cache: folder, part: 'validation' } as const;
    const { predictions, parts } = await openEvaluation(testDevice, request);
    expect(predictions.classes).toEqual(['bright', 'striped']);
    expect(parts.map(({ table }) => table.path)).toEqual([join(folder, 'second', 'train.csv')]);
  });

  test('keep no head of other classes', async () => {
    await expect(
      prepare('keep', { set: ['stages.1.head=keep', 'model.head=linear', 'stages.0.model.head=linear'] }),
    ).rejects.toThrow(
      /stage 2, finetune: its data have other classes .*\(class 1 is "bright", and was "left half"\).*say head: reset/,
    );
  });

  test('of other sets do not compete for the best epoch, and that is said', async () => {
    const notes: string[] = [];
    const { summary } = await train('any', {
      // nothing is learned in the second stage, so the first one's validation is better
      set: ['checkpoint.best=any-stage', 'stages.1.optimizer.lr=1e-9'],
      listen: (event) => {
        if (event.kind === 'note') notes.push(event.note);
      },
    });
    expect(notes.join('\n')).toMatch(/checkpoint\.best any-stage: stage 1 is left out, since another head/);
    expect(summary.best?.epoch).toBeGreaterThan(2);
  });

  test('read a set once that stages and runs share', async () => {
    const sets = new ExaminedSets();
    const shared = RECIPE.replace('finetune', 'head').concat('  - name: all\n');
    const recipe = (await prepare('shared', { text: shared })).recipe;
    const plan = await planRun({ recipe: join(folder, 'shared.yaml'), out: join(folder, 'shared') });
    const [first, second, third] = (await prepareRun(plan, { cache: folder, sets })).stages;
    expect(second?.data).toBe(third?.data);
    expect(first?.data).not.toBe(third?.data);
    const other = { ...plan, recipe: { ...recipe, batchSize: 5 } };
    const [again] = (await prepareRun(other, { cache: folder, sets })).stages;
    expect(again?.data).toBe(first?.data);
  });

  test('are compared on the last one’s images', async () => {
    await prepare('base', {});
    const file = join(folder, 'comparison.yaml');
    await writeFile(file, 'base: base.yaml\nseeds: 1\nlosses: [bce, asl]\n');
    const plan = await planComparison(file);
    const out = join(folder, 'comparison');
    const failed: string[] = [];
    await runCells(out, plan.cells, {
      device: await testDevice(),
      cache: folder,
      signal: new AbortController().signal,
      listeners: [(event) => void (event.kind === 'failed' && failed.push(event.error.message))],
    });
    expect(failed).toEqual([]);
    const scores = await collectScores(out, plan);
    expect(scores?.classNames).toEqual(['bright', 'striped']);
    expect(scores?.runs.map(({ variant }) => variant)).toEqual(['bce', 'asl']);
  });
});
