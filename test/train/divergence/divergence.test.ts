import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SafetensorsTensor } from '../../../src/models/safetensors/safetensors.js';
import { writeSafetensors } from '../../../src/models/safetensors/safetensors.js';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { describeDivergence } from '../../../src/train/divergence/roll-back.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { DivergedError } from '../../../src/train/run/training-error.js';
import { readWeights } from '../../../src/weights/checkpoint.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { tinyRecipe, writeTinyDataset } from '../run/tiny-run.js';
import { bytesOf, type TrainOptions, train } from '../run/tiny-training.js';

let folder: string;
let data: TrainingData;
let weights: ReadonlyMap<string, SafetensorsTensor>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-divergence-'));
  data = await examineTrainingData(await writeTinyDataset(folder), tinyRecipe());
  const run = new RunDirectory(join(folder, 'sound'));
  await train(tinyRecipe('schedule.epochs=1'), { data, run });
  weights = (await readWeights(run.best)).tensors;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A recipe may not have such a rate. */
function absurd(lr: number, ...overrides: string[]): Recipe {
  const recipe = tinyRecipe(...overrides);
  return { ...recipe, optimizer: { ...recipe.optimizer, lr } };
}

async function failure(recipe: Recipe, options: TrainOptions): Promise<string> {
  const error = await train(recipe, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DivergedError);
  return (error as Error).message;
}

describe('a step that is not finite', () => {
  test('names the parameter that is', async () => {
    const tensor = weights.get('layer2.0.conv1.weight');
    const values = Float32Array.from(tensor?.data as Float32Array);
    values[5] = Number.POSITIVE_INFINITY;
    values[9] = Number.NaN;
    const path = join(folder, 'planted.safetensors');
    const planted = { ...tensor, data: values } as SafetensorsTensor;
    await writeFile(path, writeSafetensors(new Map([...weights, ['layer2.0.conv1.weight', planted]])));
    const message = await failure(tinyRecipe(`model.weights=${path}`, 'ema=false'), { data });
    expect(message).toMatch(
      /^step 1: .*The parameter "layer2\.0\.conv1\.weight" is the origin: .* has 2 of \d+ values that are not finite \(1 NaN, 1 infinite\), the first at \[/,
    );
  });

  test('names the op that overflowed, where the rate is absurd', async () => {
    const message = await failure(absurd(1e30), { data });
    expect(message).toMatch(
      // on a GPU, the moments of a batch norm are an op of their own
      /^step 2: .*The first tensor that is not finite: (bn1: the output of moments \[4\]|(\S+: )?the output of \w+ \[[\d, ]+\] with bn1\.\w+, .*) has/,
    );
    expect(message).toMatch(/parameters, images and labels behind it are finite\. Try a lower optimizer\.lr/);
  });

  test('names image and class of a label that is', async () => {
    const { readable } = data.train;
    const labels = Float32Array.from(readable.table.labels);
    const row = readable.indices[2] ?? 0;
    labels[row * 2 + 1] = Number.POSITIVE_INFINITY;
    const table = Object.create(readable.table, { labels: { value: labels } });
    const broken = Object.create(readable, { table: { value: table } });
    const own = { ...data, train: { ...data.train, readable: broken } };
    const message = await failure(tinyRecipe('divergence.action=rollback'), { data: own });
    const { image } = readable.row(2);
    expect(message).toContain(`The labels are the origin`);
    expect(message).toContain(`image ${image}, class "striped". A lower learning rate does not cure data`);
  });
});

test('a step that is finite when it is repeated is said to be so', () => {
  expect(describeDivergence({ step: 3, loss: Number.NaN, gradientNorm: 1 }, undefined)).toMatch(
    /^step 3: the loss is NaN and the gradient's norm 1; .* Repeated with the weights of a few steps later, .* finite/,
  );
});

describe('a rollback', () => {
  const recipe = tinyRecipe('divergence.action=rollback');

  /** The rate explodes in step 6, in the middle of the second epoch, as long as nothing lowers it. */
  const explodes: RunListener = (event) => {
    if (event.kind !== 'ready') return;
    const { step } = event.trainer;
    const change = step.changeRate.bind(step);
    step.changeRate = (rate) =>
      change((scheduled, at) => {
        const wanted = rate(scheduled, at);
        return at >= 5 && wanted === scheduled ? 1e30 : wanted;
      });
  };

  test('goes on from the last epoch’s save at a lower rate, and says so', async () => {
    const notes: string[] = [];
    const told: RunListener = (event) => {
      if (event.kind === 'rollback') notes.push(event.note);
    };
    const { run, summary } = await train(recipe, { data, listeners: [explodes, told] });
    expect(summary).toMatchObject({ status: 'finished', steps: 12 });
    expect(summary.rollbacks).toEqual([{ step: 7, to: 4, factor: 0.5 }]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^step 7: the loss is \S+ and .*\nback to the state after step 4, .* times 0\.5 \(rollback 1 of at most 3\)\.$/,
      ),
    ]);
    const lines = await run.metrics.read();
    expect(lines.map(({ kind, step }) => [kind, step])).toEqual([
      ...[2, 4].map((step) => ['step', step]),
      ['epoch', 4],
      ['rollback', 4],
      ...[6, 8].map((step) => ['step', step]),
      ['epoch', 8],
      ...[10, 12].map((step) => ['step', step]),
      ['epoch', 12],
    ]);
    const sound = await train(tinyRecipe(), { data });
    const rates = async (of: RunDirectory) =>
      new Map(
        (await of.metrics.read()).flatMap((l) => (l.kind === 'step' ? [[l.step, l.learningRate]] : [])),
      );
    const [lowered, scheduled] = [await rates(run), await rates(sound.run)];
    expect(lowered.get(4)).toBe(scheduled.get(4));
    expect(lowered.get(8)).toBeCloseTo((scheduled.get(8) ?? 0) / 2, 12);
  });

  test('killed or stopped at any moment around it and resumed, the run ends with the same bytes', async () => {
    const whole = await train(recipe, { data, listen: explodes });
    const bytes = await bytesOf(whole.run);
    const cut = (step: number, afterwards: boolean): RunListener => {
      let back = !afterwards;
      return (event) => {
        if (event.kind === 'rollback') back = true;
        if (back && event.kind === 'step' && event.step === step) throw new Error('power cut');
      };
    };
    for (const listener of [cut(7, false), cut(6, true), cut(10, true)]) {
      const run = new RunDirectory(join(await temporaryFolder(), 'run'));
      await expect(train(recipe, { data, run, listeners: [explodes, listener] })).rejects.toThrow(
        'power cut',
      );
      const resumed = { data, run: new RunDirectory(run.path), resume: true, listen: explodes };
      const { summary } = await train(recipe, resumed);
      expect(summary).toEqual(whole.summary);
      expect(await bytesOf(run)).toEqual(bytes);
    }
    // after step 6 the weights are lost already: the save of the stop is not where the run goes back to
    const { run } = await train(recipe, { data, stopAfter: 6, listen: explodes });
    expect(await run.saved.target()).toMatchObject({ step: 4 });
    await train(recipe, { data, run: new RunDirectory(run.path), resume: true, listen: explodes });
    expect(await bytesOf(run)).toEqual(bytes);
  });

  test('in a later stage goes back to its start, and lowers its rate alone', async () => {
    const staged = tinyRecipe(
      'divergence.action=rollback',
      'stages=[{schedule: {epochs: 1}}, {schedule: {epochs: 2}}]',
    );
    const { run, summary } = await train(staged, { data, listen: explodes });
    expect(summary).toMatchObject({ status: 'finished', rollbacks: [{ step: 7, to: 4, factor: 0.5 }] });
    const rates = (await run.metrics.read()).flatMap((line) =>
      line.kind === 'step' ? [[line.step, line.learningRate] as const] : [],
    );
    // each stage warms up in two steps; the factor counts from the second's start on
    expect(rates.map(([step]) => step)).toEqual([2, 4, 6, 8, 10, 12]);
    const [first = 0, , second = 0] = rates.map(([, rate]) => rate);
    expect(second).toBeCloseTo(first / 2, 12);
  });

  test('from the very start, with its memory of added gradients, is forgotten wholly', async () => {
    const accumulated = [
      'accumulate=2',
      'batchSize=2',
      'divergence.action=rollback',
      'divergence.factor=1e-32',
    ];
    const { summary } = await train(absurd(1e30, ...accumulated), { data });
    expect(summary).toMatchObject({
      status: 'finished',
      steps: 12,
      rollbacks: [{ step: 2, to: 0, factor: 1e-32 }],
    });
  });

  test('is tried so many times, and not where nothing comes between the saved state and the step', async () => {
    const stubborn = absurd(1e30, 'divergence.action=rollback', 'divergence.most=2');
    expect(await failure(stubborn, { data })).toMatch(/The run went back 2 times already/);
    const at = 'optimizer.lr=100';
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const bad: RunListener = (event) => {
      if (event.kind !== 'ready') return;
      const fc = event.trainer.state.arena('params');
      fc.write('fc.weight', new Float32Array(64).fill(3e38));
    };
    const message = await failure(tinyRecipe('divergence.action=rollback', at), { data, run, listen: bad });
    expect(message).toMatch(/^step 1: .*It is the first step after the saved state/);
  });

  test('can be asked for when a run that stopped is resumed', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    expect(await failure(tinyRecipe(), { data, run, listen: explodes })).toMatch(
      /^step 7: .*the state after step 4 at a lower rate: --resume --on-divergence/,
    );
    expect(await run.saved.about()).toMatchObject({ progress: { step: 4 } });
    const { summary } = await train(recipe, {
      data,
      run: new RunDirectory(run.path),
      resume: true,
      listen: explodes,
    });
    expect(summary).toMatchObject({ status: 'finished', rollbacks: [{ step: 7, to: 4 }] });
    expect(JSON.parse(await readFile(join(run.path, 'summary.json'), 'utf8'))).toEqual(summary);
  });
});
