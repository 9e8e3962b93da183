import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initialParameters, initialStatistics } from '../../../src/models/model.js';
import { readSafetensors, writeSafetensors } from '../../../src/models/safetensors/safetensors.js';
import { exportTimm } from '../../../src/models/weights/timm-weights.js';
import { Classifier } from '../../../src/predict/classifier.js';
import { createModel } from '../../../src/predict/create-model.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { prepareRun } from '../../../src/train/run/prepare-run.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import { planRun } from '../../../src/train/run/run-plan.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { modelOf, type Trainer } from '../../../src/train/step/trainer.js';
import { readCheckpoint } from '../../../src/weights/checkpoint.js';
import { initialWeights } from '../../../src/weights/initial-weights.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { relativeError } from '../../golden/digest.js';
import { hashUniform } from '../../golden/hash-weights.js';
import { prepared, writeTinyDataset } from './tiny-run.js';

const PLAIN = `
preprocessing: {size: [32, 32]}
model: {arch: vit_tiny_patch16_224, width: 12}
data: {validationFraction: 0.25}
batchSize: 4
schedule: {epochs: 2, kind: constant}
optimizer: {lr: 0.01}
ema: {decay: 0.5}
`;
const LORA = PLAIN.replace('lr: 0.01', 'lr: 0.01, groups: [{match: backbone, lora: {rank: 2, alpha: 4}}]');
const parse = (text: string) => parseRecipe(text, { path: 'lora.yaml' });

let folder: string;
let data: TrainingData;
let weights: string;
/** By timm's names, in PyTorch's layout. */
let base: ReturnType<typeof exportTimm>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-lora-'));
  data = await examineTrainingData(await writeTinyDataset(folder), parse(PLAIN));
  const network = modelOf(parse(PLAIN), 2);
  base = exportTimm(network, {
    parameters: initialParameters(network, 77),
    statistics: initialStatistics(network),
  });
  weights = join(folder, 'base.safetensors');
  await writeFile(weights, writeSafetensors(base));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface TrainOptions {
  readonly run?: RunDirectory;
  readonly resume?: boolean;
  readonly stopAfter?: number;
  readonly listen?: RunListener;
}

async function train(recipe: Recipe, { resume, stopAfter, listen, ...given }: TrainOptions = {}) {
  const run = given.run ?? new RunDirectory(join(await temporaryFolder(), 'run'));
  const started = { ...recipe, model: { ...recipe.model, weights } };
  const summary = await trainRun(prepared({ recipe: started, data, run, resume }), {
    device: await testDevice(),
    stopAfter,
    ...(listen && { listeners: [listen] }),
  });
  return { run, summary };
}

async function bytesOf(run: RunDirectory): Promise<Record<string, string>> {
  const files = (await readdir(run.path, { recursive: true })).filter((name) =>
    /\.(safetensors|csv)$/.test(name),
  );
  const contents = await Promise.all(files.map((name) => readFile(join(run.path, name), 'base64')));
  return Object.fromEntries(files.map((name, i) => [name, contents[i] ?? '']));
}

const pixels = Uint16Array.from(hashUniform('images', 4 * 32 * 32), (value) => 32768 * (1 + value));

test('a run with adapters leaves the base alone, an ordinary checkpoint, and the adapters by themselves', async () => {
  const device = await testDevice();
  let trainer: Trainer | undefined;
  let validated = new Float32Array();
  const { run, summary } = await train(parse(LORA), {
    async listen(event) {
      if (event.kind === 'ready') trainer = event.trainer;
      if (event.kind === 'epoch' && event.line.best) {
        validated = Float32Array.from(await trainer!.inference.logits(pixels));
      }
    },
  });
  expect(summary.status).toBe('finished');

  // what rests keeps every bit; adapters are in the state as they are
  const [saved = ''] = (await readdir(join(run.path, 'last'))).filter((name) => name.startsWith('step-'));
  const params = readSafetensors(await readFile(join(run.path, 'last', saved, 'params.safetensors'))).tensors;
  expect(params.get('blocks.0.attn.qkv.lora_B.weight')?.data).not.toEqual(new Float32Array(2 * 36));
  const network = modelOf(parse(PLAIN), 2);
  const { parameters } = await initialWeights(network, { weights, weightsHead: 'keep', seed: 0 });
  const head = ['head.weight', 'head.bias'];
  for (const [name, values] of parameters) {
    if (head.includes(name)) expect(params.get(name)?.data, name).not.toEqual(values);
    else expect(params.get(name)?.data, name).toEqual(values);
  }

  // the checkpoint is merged: timm's names, and the same predictions
  const best = await readCheckpoint(run.best);
  expect([...best.tensors.keys()].sort()).toEqual([...base.keys()].sort());
  const moved = [...base].filter(
    ([name, { data }]) =>
      relativeError(best.tensors.get(name)!.data as Float32Array, data as Float32Array) > 1e-4,
  );
  expect(moved.map(([name]) => name).sort()).toEqual(
    [...base.keys()]
      .filter(
        (name) =>
          head.includes(name) || (/(qkv|proj|fc\d)\.weight$/.test(name) && name.startsWith('blocks.')),
      )
      .sort(),
  );
  const classifier = await Classifier.load(device, best, { path: run.best, batchSize: 4 });
  const merged = Float32Array.from(await classifier.logits(pixels));
  classifier.destroy();
  expect(relativeError(merged, validated)).toBeLessThan(1e-5);

  // the adapters alone, put onto the base, are that checkpoint
  expect((await stat(run.adapters)).size).toBeLessThan((await stat(run.best)).size);
  const again = await initialWeights(network, {
    weights,
    weightsHead: 'keep',
    adapters: run.adapters,
    seed: 0,
  });
  expect(exportTimm(network, again)).toEqual(best.tensors);
  const options = { arch: 'vit_tiny_patch16_224', width: 12, classes: 2, imageSize: 32, weights };
  const model = await createModel(device, { ...options, adapters: run.adapters });
  const images = Float32Array.from(pixels, (value) => (value / 65535 - 0.5) / 0.25);
  expect(relativeError(await model.forward(images, [4, 32, 32, 1]), merged)).toBeLessThan(1e-5);
  expect(model.notes.join('\n')).toMatch(
    /adapters from .*: 48 linear layers with rank 2, merged.*head\.weight, head\.bias/,
  );
  await model.destroy();
});

/** Adapters, then the head alone, then adapters of another rank. */
const STAGED = `${LORA.replace('epochs: 2', 'epochs: 1')}
stages:
  - {}
  - {optimizer: {groups: {backbone: {freeze: true}}}}
  - {optimizer: {groups: {backbone: {lora: {rank: 3}}, head: {freeze: true}}}}
`;

test('stages merge their adapters, begin with fresh ones, and resume to the same bytes', async () => {
  let trainer: Trainer | undefined;
  let before: Awaited<ReturnType<Trainer['weights']>> | undefined;
  const ranks: (number | undefined)[] = [];
  const starts: Float32Array[] = [];
  const files: boolean[] = [];
  const run = new RunDirectory(join(await temporaryFolder(), 'run'));
  await train(parse(STAGED), {
    async listen(event) {
      if (event.kind === 'epoch') before = await trainer!.weights();
      if (event.kind !== 'ready') return;
      trainer = event.trainer;
      files.push(
        await stat(run.adapters).then(
          () => true,
          () => false,
        ),
      );
      const adapters = trainer.definition.parameters.filter(({ adapts }) => adapts);
      ranks.push(adapters[0]?.adapts?.rank);
      const values = await trainer.state.arena('params').readAll();
      for (const { name, adapts } of adapters) {
        if (adapts?.factor === 'B') expect(new Set(values.get(name)), name).toEqual(new Set([0]));
      }
      const a = values.get('blocks.0.attn.qkv.lora_A.weight');
      if (a) starts.push(a);
      if (before) expect(await trainer.weights()).toEqual(before);
    },
    run,
  });
  expect(ranks).toEqual([2, undefined, 3]);
  // none before the first, none of a stage without
  expect(files).toEqual([false, true, false]);
  expect(starts[1]!.slice(0, 24)).not.toEqual(starts[0]!.slice(0, 24));
  const { metadata, tensors } = readSafetensors(await readFile(run.adapters));
  expect(JSON.parse(metadata.adapterConfig!)).toMatchObject({ r: 3, lora_alpha: 16 });
  expect([...tensors.keys()].filter((name) => name.includes('head'))).toEqual([]);

  const whole = await bytesOf(run);
  expect(Object.keys(whole)).toContain('best.adapters.safetensors');
  const stopped = new RunDirectory(join(await temporaryFolder(), 'run'));
  for (const [i, stopAfter] of [2, 3, 5].entries()) {
    await train(parse(STAGED), { run: stopped, stopAfter, resume: i > 0 });
  }
  expect((await train(parse(STAGED), { run: stopped, resume: true })).summary.status).toBe('finished');
  expect(await bytesOf(stopped)).toEqual(whole);
});
test('a recipe’s model.adapters is read before the data are, and kept relative to the run', async () => {
  const recipe = join(folder, 'adapters.yaml');
  await writeFile(recipe, `${PLAIN}`.replace('width: 12', `width: 12, adapters: ${folder}/none.safetensors`));
  const plan = await planRun({ recipe, data: folder, out: join(await temporaryFolder(), 'run') });
  await expect(prepareRun(plan, { cache: folder })).rejects.toThrow(/none\.safetensors: .*no such/);
  await plan.run.begin(plan.recipe);
  expect(await readFile(join(plan.run.path, 'recipe.yaml'), 'utf8')).not.toContain(folder);
  expect((await plan.run.recipe()).model.adapters).toBe(join(folder, 'none.safetensors'));
});
