import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { problemKey } from '../../../src/engine/choose/problem-key.js';
import type { Tuning } from '../../../src/engine/choose/tune.js';
import type { OpTime } from '../../../src/engine/run/profile.js';
import { readSafetensors, writeSafetensors } from '../../../src/models/safetensors/safetensors.js';
import { readPredictions } from '../../../src/predict/predictions.js';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { type FileSystem, nodeFiles } from '../../../src/storage/atomic-file.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { DivergedError } from '../../../src/train/run/training-error.js';
import type { StepExplanation } from '../../../src/train/step/explained-step.js';
import type { Trainer } from '../../../src/train/step/trainer.js';
import { readCheckpoint, readWeights } from '../../../src/weights/checkpoint.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { tinyRecipe, writeTinyDataset } from './tiny-run.js';
import { bytesOf, notesInto, train } from './tiny-training.js';

/** As if a tuner had found the plainest convolution to be the fastest. */
const plainConvolutions: Tuning = {
  variantsFor: async (nodes) =>
    new Map(
      nodes
        .filter(({ op }) => op.name.startsWith('conv2d'))
        .map((node) => [problemKey(node), { variant: 'direct', by: 'tuned' }]),
    ),
};

describe('a run', () => {
  let folder: string;
  let recipe: Recipe;
  let data: TrainingData;
  /** The bytes of a run in one go. */
  let whole: Record<string, string>;

  beforeAll(async () => {
    recipe = tinyRecipe();
    folder = await mkdtemp(join(tmpdir(), 'tailray-train-'));
    data = await examineTrainingData(await writeTinyDataset(folder), recipe);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('leaves what it promises', async () => {
    let peakBytes = 0;
    const listen: RunListener = (event) => {
      if (event.kind === 'ready') peakBytes = event.trainer.peakBytes;
    };
    const { run, summary } = await train(recipe, { data, listen });
    whole = await bytesOf(run);
    expect((await readdir(run.path)).sort()).toEqual([
      'best.safetensors',
      'last',
      'metrics.jsonl',
      'predictions.csv',
      'recipe.yaml',
      'summary.json',
    ]);
    expect(peakBytes).toBeGreaterThan(0);
    expect(summary).toMatchObject({ status: 'finished', epochs: 3, steps: 12, peakBytes });
    expect(JSON.parse(await readFile(join(run.path, 'summary.json'), 'utf8'))).toEqual(summary);
    const checkpoint = await readCheckpoint(run.best);
    expect(checkpoint.classes).toEqual(['bright', 'striped']);
    expect(checkpoint.metrics.mAP).toBe(summary.best?.mAP);
    expect(summary.validation?.mAP).toBe(summary.best?.mAP);
    expect(await run.recipe()).toEqual(recipe);
    const predictions = await readPredictions(run.predictions);
    expect(predictions.rows).toHaveLength(data.validation?.all.length ?? -1);
    const lines = await run.metrics.read();
    expect(lines.filter(({ kind }) => kind === 'step').map(({ step }) => step)).toEqual([2, 4, 6, 8, 10, 12]);
    expect(lines.filter(({ kind }) => kind === 'epoch')).toHaveLength(3);
  });

  test('gives the same bytes again', async () => {
    const { run } = await train(recipe, { data });
    expect(await bytesOf(run)).toEqual(whole);
  });

  test('explains where its time goes on the way, without a change to what it computes', async () => {
    const explanations: StepExplanation[] = [];
    const listen: RunListener = (event) => {
      if (event.kind === 'explanation') explanations.push(event.explanation);
    };
    const { run } = await train(recipe, { data, explain: true, listen });
    expect(await bytesOf(run)).toEqual(whole);
    const [explanation, ...more] = explanations;
    expect(more).toEqual([]);
    const { ops = [], step, profiledRuns, bytes } = explanation ?? {};
    expect(profiledRuns).toBe(5);
    expect(ops.length).toBeGreaterThan(50);
    for (const { ms, gflops, gbps } of ops as OpTime[]) {
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(Number.isFinite(gflops + gbps)).toBe(true);
    }
    expect(bytes?.arenas).toBeGreaterThan(0);
    // 12 steps: one to warm up, five profiled, two to settle
    expect(step?.steps).toBe(4);
    const { stepMs = 0, batchMs = 0, deviceMs = 0, uploadMs = 0, recordMs = 0 } = step ?? {};
    const { submitMs = 0, scalarsMs = 0 } = step ?? {};
    const parts = batchMs + deviceMs + uploadMs + recordMs + submitMs + scalarsMs;
    expect(parts).toBeGreaterThan(0);
    expect(parts).toBeLessThanOrEqual(stepMs);
  });

  test('explains a session that is over before it has seen much by what it saw', async () => {
    const explanations: StepExplanation[] = [];
    const listen: RunListener = (event) => {
      if (event.kind === 'explanation') explanations.push(event.explanation);
    };
    await train(recipe, { data, explain: true, listen, stopAfter: 1 });
    expect(explanations).toMatchObject([{ profiledRuns: 0, step: null }]);
  });

  test('another seed gives others', async () => {
    const { run } = await train(tinyRecipe('seed=1'), { data });
    const bytes = await bytesOf(run);
    expect(bytes['predictions.csv']).not.toBe(whole['predictions.csv']);
  });

  // 4 steps an epoch: after the first step, in the middle, at an epoch's end before its validation, at the very end
  test.each([[[1]], [[6]], [[4]], [[12]], [[1, 1, 3, 2]]])(
    'stopped after %j steps and resumed, it gives the same bytes',
    async (stops) => {
      const run = new RunDirectory(join(await temporaryFolder(), 'run'));
      for (const [i, stopAfter] of stops.entries()) {
        const { summary } = await train(recipe, { data, run, stopAfter, resume: i > 0 });
        expect(summary.status).toBe('stopped');
      }
      const { summary } = await train(recipe, { data, run: new RunDirectory(run.path), resume: true });
      expect(summary.status).toBe('finished');
      expect(await bytesOf(run)).toEqual(whole);
      const lines = await run.metrics.read();
      const steps = lines.filter(({ kind }) => kind === 'step').map(({ step }) => step);
      expect(steps).toEqual([2, 4, 6, 8, 10, 12]);
      const epochs = lines.filter((line) => line.kind === 'epoch');
      expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    },
  );

  test('stopped by a signal during validation, it validates again and gives the same bytes', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const stop = new AbortController();
    const listen: RunListener = ({ kind }) => {
      if (kind === 'validation') stop.abort();
    };
    const { summary } = await train(recipe, { data, run, signal: stop.signal, listen });
    expect(summary).toMatchObject({ status: 'stopped', steps: 4, epochs: 0 });
    await train(recipe, { data, run, resume: true });
    expect(await bytesOf(run)).toEqual(whole);
  });

  test('a process that died between two saves loses no exactness', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const crash: RunListener = (event) => {
      if (event.kind === 'step' && event.step === 7) throw new Error('power cut');
    };
    await expect(train(recipe, { data, run, listen: crash })).rejects.toThrow('power cut');
    expect((await run.saved.about())?.progress.step).toBe(4);
    // the line of step 6 would come two steps later at the earliest
    expect((await run.metrics.read()).at(-1)).toMatchObject({ kind: 'epoch', step: 4 });
    await train(recipe, { data, run, resume: true });
    expect(await bytesOf(run)).toEqual(whole);
    const steps = (await run.metrics.read()).filter(({ kind }) => kind === 'step').map(({ step }) => step);
    expect(steps).toEqual([2, 4, 6, 8, 10, 12]);
  });

  test.each(['best.safetensors', 'secondMoment.safetensors', 'state.json'])(
    'a disk that is full when %s is written a second time leaves the first, and the run can go on',
    async (name) => {
      const path = join(await temporaryFolder(), 'run');
      let writes = 0;
      const filling: FileSystem = {
        ...nodeFiles,
        open: async (file, flags) => {
          if (file.includes(name) && ++writes === 2) {
            throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
          }
          return nodeFiles.open(file, flags);
        },
      };
      const run = new RunDirectory(path, filling);
      await expect(train(recipe, { data, run })).rejects.toThrow(/the disk is full/);
      expect((await readCheckpoint(run.best)).epoch).toBeGreaterThanOrEqual(1);
      expect((await run.saved.about())?.progress.epochsClosed).toBeGreaterThanOrEqual(1);
      const left = await readdir(path, { recursive: true });
      expect(left.filter((file) => /partial|lock/.test(file))).toEqual([]);
      const freed = new RunDirectory(path);
      await train(recipe, { data, run: freed, resume: true });
      expect(await bytesOf(freed)).toEqual(whole);
    },
  );

  test('keeps the kernels that it was begun with, whatever has been measured since', async () => {
    const { run: tuned } = await train(recipe, { data, tuning: plainConvolutions });
    const bytes = await bytesOf(tuned);
    expect(bytes['best.safetensors']).not.toBe(whole['best.safetensors']);
    for (const [first, then] of [
      [plainConvolutions, undefined],
      [undefined, plainConvolutions],
    ]) {
      const run = new RunDirectory(join(await temporaryFolder(), 'run'));
      await train(recipe, { data, run, stopAfter: 6, tuning: first });
      const notes: string[] = [];
      const listen = notesInto(notes);
      await train(recipe, { data, run, resume: true, tuning: then, listen });
      expect(await bytesOf(run)).toEqual(first ? bytes : whole);
      expect(notes).toEqual(['resumed after step 6.']);
    }
  });

  test('says so when a kernel that it was begun with is gone', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const { run: sound } = await train(recipe, { data, run, stopAfter: 6 });
    const about = await sound.saved.about();
    const kernels = Object.fromEntries(
      Object.keys(about?.kernels ?? {}).map((problem) => [problem, 'of an earlier version']),
    );
    const state = await readFile(join(run.path, 'last/state.json'), 'utf8');
    const content = { ...JSON.parse(state).content, kernels };
    const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex');
    await writeFile(join(run.path, 'last/state.json'), JSON.stringify({ content, sha256: digest }));
    const notes: string[] = [];
    const listen = notesInto(notes);
    await train(recipe, { data, run: new RunDirectory(run.path), resume: true, listen });
    expect(notes.at(-1)).toMatch(/^WARNING: this version of tailray lacks kernels/);
  });

  test('goes on only with the same data', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    await train(recipe, { data, run, stopAfter: 1 });
    const other = { ...data, digest: 'of other rows' };
    await expect(train(recipe, { data: other, run, resume: true })).rejects.toThrow(
      /images, labels or the split are others than those the run began with/,
    );
  });

  test('a saved state of another network is refused by tensor', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    await train(recipe, { data, run, stopAfter: 1 });
    const wider = train(tinyRecipe('model.width=8'), { data, run, resume: true });
    await expect(wider).rejects.toMatchObject({ kind: 'mismatch' });
    await expect(wider).rejects.toThrow(
      /"conv1\.weight" has shape \[3,3,1,4\], this model's has \[3,3,1,8\]/,
    );
  });

  test('a gradient that is no number stops the run with its step, and the weights stay as they were', async () => {
    const { run: sound } = await train(recipe, { data, stopAfter: 5 });
    const tensors = new Map((await readWeights(sound.best)).tensors);
    const head = { dtype: 'F32', shape: [2, 32], data: new Float32Array(64).fill(3e38) } as const;
    const huge = join(folder, 'huge.safetensors');
    await writeFile(huge, writeSafetensors(tensors.set('fc.weight', head)));
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    let params = new Map<string, Float32Array>();
    let trainer: Trainer | undefined;
    const listen: RunListener = async (event) => {
      if (event.kind === 'ready') trainer = event.trainer;
      if (event.kind === 'losses') params = (await trainer?.state.arena('params').readAll()) ?? params;
    };
    const error = await train(tinyRecipe(`model.weights=${huge}`), { data, run, listen }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DivergedError);
    expect((error as Error).message).toMatch(
      /^step 1: the loss is .* and the gradient's norm .*optimizer\.lr/,
    );
    expect((error as Error).message).toMatch(
      /: fc: the output of \w+ \[4, 2\] with fc\.weight, fc\.bias has \d+ of \d+ values/,
    );
    const [line] = await run.metrics.read();
    expect(line).toMatchObject({ kind: 'step', step: 1, gradientNorm: null });
    expect(params.get('fc.weight')).toEqual(head.data);
    expect(params.get('conv1.weight')).toSatisfy((values: Float32Array) => values.every(Number.isFinite));
  });

  test('starts from somebody’s weights; with another head only if that is asked for', async () => {
    const { run } = await train(recipe, { data, stopAfter: 4 + 1 });
    const notes: string[] = [];
    const from = (...more: string[]) => tinyRecipe(`model.weights=${run.best}`, ...more);
    const listen = notesInto(notes);
    await train(from(), { data, listen, stopAfter: 1 });
    expect(notes).toEqual([`weights from ${run.best}.`]);
    await train(from('preprocessing.mean=[0.4]'), { data, listen, stopAfter: 1 });
    expect(notes.at(-1)).toMatch(/mean \[0\.5\] and std \[0\.25\], the recipe has mean \[0\.4\]/);

    const three = { ...data, classes: ['a', 'b', 'c'], positives: [1, 1, 1] };
    await expect(train(from(), { data: three })).rejects.toThrow(
      /fc\.bias +\[2\] +\[3\]\n.*--weights-head reset/,
    );
    // goes on to read labels of three classes, which these data have not
    await train(from('model.weightsHead=reset'), { data: three, listen, stopAfter: 1 }).catch(() => {});
    expect(notes.at(-1)).toMatch(/head starts afresh \(fc\.weight, fc\.bias\); not used of the file: /);

    await expect(train(from('model.width=8'), { data })).rejects.toMatchObject({ kind: 'mismatch' });
    await expect(train(from('model.arch=resnet18'), { data })).rejects.toThrow(
      /has weights of resnet10, the model is a resnet18: set model\.arch to resnet10/,
    );
  });

  test('a network without running statistics, with stochastic depth, is resumed to the same bytes', async () => {
    const convnext = tinyRecipe(
      'model.arch=convnext_atto',
      'model.stem=patch',
      'model.width=8',
      'model.dropPathRate=0.3',
      'preprocessing.size=[32, 32]',
      'schedule.epochs=1',
    );
    const own = await examineTrainingData(folder, convnext);
    const once = await train(convnext, { data: own });
    expect((await readCheckpoint(once.run.best)).model).toMatchObject({ arch: 'convnext_atto', width: 8 });
    const { run } = await train(convnext, { data: own, stopAfter: 3 });
    await train(convnext, { data: own, run, resume: true });
    expect(await bytesOf(run)).toEqual(await bytesOf(once.run));
  });

  test('with a frozen part, which is saved once, it is resumed to the same bytes', async () => {
    const recipe = tinyRecipe(
      'optimizer.groups=[{match: [conv1, bn1, layer1, layer2], freeze: true}]',
      'optimizer.layerDecay=0.7',
    );
    const once = await train(recipe, { data });
    const { run } = await train(recipe, { data, stopAfter: 5 });
    await train(recipe, { data, run, resume: true });
    expect(await bytesOf(run)).toEqual(await bytesOf(once.run));
    const saved = async (arena: string) => {
      const step = (await readdir(join(run.path, 'last'))).find((name) => name.startsWith('step-'));
      const file = await readFile(join(run.path, 'last', step ?? '', `${arena}.safetensors`));
      return [...readSafetensors(new Uint8Array(file)).tensors.keys()];
    };
    expect(await saved('params')).toContain('layer1.0.conv1.weight');
    for (const arena of ['average', 'firstMoment', 'averageStats']) {
      const names = await saved(arena);
      expect(names.length, arena).toBeGreaterThan(0);
      expect(
        names.filter((name) => /^(conv1|bn1|layer[12])\./.test(name)),
        arena,
      ).toEqual([]);
    }
    // the kept weights are whole
    const best = await readCheckpoint(run.best);
    expect([...best.tensors.keys()]).toContain('layer1.0.conv1.weight');
  });

  test('with a sampler, the schedule follows its epochs, and it is resumed to the same bytes', async () => {
    const sampled = tinyRecipe('sampler.name=class-aware', 'sampler.epochFactor=1.5', 'schedule.epochs=2');
    const own = await examineTrainingData(folder, sampled);
    const once = await train(sampled, { data: own });
    // 18 training images, 27 visits, 6 batches of 4
    expect(once.summary).toMatchObject({ status: 'finished', steps: 12 });
    const { run } = await train(sampled, { data: own, stopAfter: 8 });
    await train(sampled, { data: own, run, resume: true });
    expect(await bytesOf(run)).toEqual(await bytesOf(once.run));
    const shuffled = await train(tinyRecipe('schedule.epochs=2'), { data: own });
    expect(shuffled.summary.steps).toBe(8);
  });

  test('with mixed pictures and batches that are added up, it is resumed to the same bytes', async () => {
    const mixed = tinyRecipe(
      'augment.mixup={p: 0.4}',
      'augment.cutmix={p: 0.4}',
      'preprocessing.bits=8',
      'batchSize=3',
      'accumulate=2',
      'schedule.epochs=2',
    );
    const own = await examineTrainingData(folder, mixed);
    const once = await train(mixed, { data: own });
    const { run } = await train(mixed, { data: own, stopAfter: 4 });
    await train(mixed, { data: own, run, resume: true });
    expect(await bytesOf(run)).toEqual(await bytesOf(once.run));
  });

  test('a loss that wants hard labels refuses mixed pictures before anything is written', async () => {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const recipe = tinyRecipe('augment.cutmix={}', 'loss={sum: [{name: bce}, {name: smooth-ap}]}');
    await expect(async () => train(recipe, { data, run })).rejects.toThrow(
      /loss "sum" needs labels that are 0 or 1, and augment\.mixup and augment\.cutmix/,
    );
    await expect(readdir(run.path)).rejects.toThrow(/ENOENT/);
  });

  test('an epoch that fills no batch is refused before anything is written', async () => {
    const tiny = tinyRecipe('sampler.name=square-root', 'sampler.epochFactor=0.1');
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    await expect(train(tiny, { data, run })).rejects.toThrow(
      /visits 2 images, which don't fill one batch of 4/,
    );
    await expect(readdir(run.path)).rejects.toThrow(/ENOENT/);
  });
});
