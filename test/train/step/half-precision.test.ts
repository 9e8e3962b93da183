import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KernelError } from '../../../src/engine/errors.js';
import { recipeSchema } from '../../../src/recipe/recipe-schema.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import { examineTrainingData } from '../../../src/train/run/training-data.js';
import type { TrainingState } from '../../../src/train/step/training-state.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { goldenBatch, goldenModel } from '../../golden/model-golden.js';
import { TRAINED_RESNET_GOLDENS } from '../../golden/resnet-golden.js';
import { prepared, tinyRecipe, writeTinyDataset } from '../run/tiny-run.js';
import { openStep } from './open-step.js';

const device = await testDevice();
const golden = TRAINED_RESNET_GOLDENS.find(({ stem }) => stem === 'small')!;

async function resnet18(precision: 'f32' | 'f16') {
  const { definition, weights } = goldenModel(golden);
  const recipe = recipeSchema.parse({
    precision,
    loss: { name: 'bce' },
    optimizer: { lr: 1e-3 },
    ema: false,
  });
  const { state, program } = await openStep(device, {
    definition,
    weights,
    recipe,
    images: golden.images,
    steps: 10,
  });
  return { state, program };
}

/** All bytes. */
async function parameters(state: TrainingState): Promise<Buffer> {
  const values = [...(await state.arena('params').readAll()).values()];
  return Buffer.concat(
    values.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}

describe.skipIf(!device.traits.f16)(`mixed precision (${device.description}; needs shader-f16)`, () => {
  test('an overflow is found in the half where it is', async () => {
    const { state, program } = await resnet18('f16');
    const batch = goldenBatch(golden);
    expect(await program.examine(batch, 0)).toBeNull();
    const { name, shape } = state.groups.trained.find((each) => each.name === 'layer2.0.conv1.weight')!;
    const length = shape.reduce((product, size) => product * size, 1);
    // f16 ends at 65504: the activations behind it overflow, in f32 they would not
    state.arena('params').write(name, new Float32Array(length).fill(3e4));
    const weights = await state.arena('params').readAll();
    state.initialise(weights, await state.arena('stats').readAll());
    expect(await program.examine(batch, 0)).toMatchObject({
      place: { kind: 'op', label: expect.stringMatching(/^layer2\.0\./) },
      tensor: { dtype: 'f16' },
    });
    program.destroy();
    state.destroy();
  });

  test('ten steps follow those of f32, within less memory', async () => {
    const losses: number[][] = [];
    const intermediates: number[] = [];
    for (const precision of ['f32', 'f16'] as const) {
      const { state, program } = await resnet18(precision);
      for (let step = 0; step < 10; step++) program.run(goldenBatch(golden), step);
      losses.push((await program.scalars()).map(({ loss }) => loss));
      intermediates.push(program.planned.intermediates);
      program.destroy();
      state.destroy();
    }
    const [exact, half] = losses;
    for (const [step, loss] of exact!.entries()) {
      expect(Math.abs(half![step]! / loss - 1), `step ${step}: ${half![step]} vs ${loss}`).toBeLessThan(0.02);
    }
    expect(half).not.toEqual(exact);
    expect(intermediates[1]! / intermediates[0]!).toBeLessThan(0.7);
  });

  test('a step whose gradient overflows changes nothing and halves the scale', async () => {
    const { state, program } = await resnet18('f16');
    state.arena('scaling').write('lossScale', Float32Array.of(2 ** 24, 5));
    const start = await parameters(state);
    program.run(goldenBatch(golden), 0);
    const [first] = await program.scalars();
    expect(first!.lossScale).toBe(2 ** 24);
    expect(first!.gradientNorm).not.toSatisfy(Number.isFinite);
    expect((await parameters(state)).equals(start)).toBe(true);
    expect((await state.arena('firstMoment').readAll()).get('fc.weight')).toSatisfy((moment: Float32Array) =>
      moment.every((value) => value === 0),
    );
    expect((await state.arena('scaling').readAll()).get('lossScale')).toEqual(Float32Array.of(2 ** 23, 0));

    for (let step = 1; step < 12; step++) program.run(goldenBatch(golden), step);
    const scalars = await program.scalars();
    const sound = scalars.findIndex(({ gradientNorm }) => Number.isFinite(gradientNorm));
    expect(sound).toBeGreaterThan(0);
    // Divided out again, the scale does not show in the gradient.
    expect(scalars[sound]!.loss).toBeCloseTo(first!.loss, 6);
    expect(scalars[sound]!.gradientNorm / golden.adamw.gradientNorms[0]!).toBeCloseTo(1, 1);
    expect(scalars[sound]!.lossScale).toBe(2 ** (23 - sound));
    expect((await parameters(state)).equals(start)).toBe(false);
    program.destroy();
    state.destroy();
  });

  test('after 2,000 good steps in a row the scale doubles', async () => {
    const { state, program } = await resnet18('f16');
    state.arena('scaling').write('lossScale', Float32Array.of(1024, 1998));
    for (let step = 0; step < 3; step++) program.run(goldenBatch(golden), step);
    expect((await program.scalars()).map(({ lossScale }) => lossScale)).toEqual([1024, 1024, 2048]);
    program.destroy();
    state.destroy();
  });

  test('stopped and resumed, a run gives the same bytes', async () => {
    const recipe = tinyRecipe('precision=f16', 'model.width=16', 'batchSize=8');
    const data = await examineTrainingData(await writeTinyDataset(await temporaryFolder(), 48), recipe);
    const bytes: string[][] = [];
    for (const stops of [[], [1, 4]]) {
      const run = new RunDirectory(join(await temporaryFolder(), 'run'));
      for (const [i, stopAfter] of stops.entries()) {
        await trainRun(prepared({ recipe, run, data, resume: i > 0 }), { device, stopAfter });
      }
      await trainRun(prepared({ recipe, run, data, resume: stops.length > 0 }), { device });
      const files = ['best.safetensors', 'predictions.csv'].map((name) => join(run.path, name));
      bytes.push(await Promise.all(files.map((file) => readFile(file, 'base64'))));
    }
    expect(bytes[1]).toEqual(bytes[0]);
  });
});

test.skipIf(device.traits.f16)(`an adapter without f16 is told (${device.description})`, async () => {
  const failure = await resnet18('f16').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(KernelError);
  expect((failure as Error).message).toMatch(/has no f16 \(shader-f16\): compute in f32/);
});
