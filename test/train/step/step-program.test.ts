import { afterAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import { lossOf } from '../../../src/recipe/recipe-loss.js';
import { type StepBatch, StepProgram } from '../../../src/train/step/step-program.js';
import { modelOf, scheduleOf } from '../../../src/train/step/trainer.js';
import { TrainingState } from '../../../src/train/step/training-state.js';
import { freshWeights } from '../../../src/weights/initial-weights.js';
import { testDevice } from '../../device.js';
import { tinyRecipe } from '../run/tiny-run.js';
import { contentsOf } from './contents-of.js';

const device = await testDevice();
const CLASSES = 3;

/** A network with batch norm and dropout, its gradients clipped at each step, with an average. */
async function setUp(...changes: string[]) {
  const recipe = tinyRecipe('model.width=16', 'optimizer.clipNorm=0.1', 'ema.decay=0.5', ...changes);
  const definition = modelOf(recipe, CLASSES);
  const state = await TrainingState.create(device, definition, recipe);
  const { parameters, statistics } = freshWeights(definition, 1);
  state.initialise(parameters, statistics);
  const options = {
    definition,
    state,
    recipe,
    loss: lossOf(recipe.loss),
    statistics: { classCounts: [5, 6, 7], samples: 20 },
    schedule: scheduleOf(recipe, 4),
    stepsPerEpoch: 4,
    batchSize: recipe.batchSize,
    images: { kind: 'images', shape: [16, 16, 1] } as const,
  };
  return { state, options };
}

function batchOf(size: number, seed: number): StepBatch {
  const random = new Random(seed, 'batch');
  return {
    images: Float32Array.from({ length: size * 256 }, () => random.normal(0, 1)),
    targets: Float32Array.from({ length: size * CLASSES }, () => Math.round(random.uniform())),
  };
}

describe('a step in one submit and in two', () => {
  const cases: [string, ...string[]][] = [
    ['AdamW'],
    ['SGD, no average', 'optimizer={name: sgd, nesterov: true}', 'ema=false'],
    ['a frozen part', 'optimizer.groups=[{match: [conv1, layer1], freeze: true}]'],
    ...(device.traits.f16 ? [['f16', 'precision=f16'] as [string, string]] : []),
  ];
  test.each(cases)('changes the same bytes: %s', async (_, ...changes) => {
    const results: unknown[] = [];
    const rows: number[] = [];
    for (const submits of [1, 2] as const) {
      const { state, options } = await setUp(...changes);
      // the first gradients overflow: such a step leaves everything but the scale as it was
      state.arenas.scaling?.write('lossScale', Float32Array.of(2 ** 24, 0));
      const program = await StepProgram.create(device, { ...options, submits });
      const steps = changes.includes('precision=f16') ? 12 : 4;
      for (let step = 0; step < steps; step++) program.run(batchOf(4, step), step);
      const scalars = await program.scalars();
      expect(scalars).toHaveLength(steps);
      if (changes.includes('precision=f16')) {
        const finite = scalars.map(({ gradientNorm }) => Number.isFinite(gradientNorm));
        expect([finite[0], finite[11]]).toEqual([false, true]);
      }
      results.push({ scalars, ...(await contentsOf(state)) });
      rows.push(program.rows.length);
      expect(StepProgram.plan(device, { ...options, submits })).toEqual(program.planned);
      program.destroy();
      state.destroy();
    }
    expect(results[1]).toEqual(results[0]);
    // two read the loss scale twice
    expect(rows[1]).toBe(rows[0]! + Number(changes.includes('precision=f16')));
  });

  test('two fit a memory budget together, and take the same steps', async () => {
    const bytes: number[] = [];
    const results: unknown[] = [];
    const step = async (memory?: number) => {
      const { state, options } = await setUp();
      const program = await StepProgram.create(device, { ...options, submits: 2, memory });
      for (let i = 0; i < 2; i++) program.run(batchOf(4, i), i);
      results.push(await contentsOf(state));
      bytes.push(program.planned.total);
      const { recomputation } = program;
      program.destroy();
      state.destroy();
      return recomputation;
    };
    expect(await step()).toBeUndefined();
    expect((await step(bytes[0]! - 1))?.recomputed).toBeGreaterThan(0);
    expect(bytes[1]).toBeLessThan(bytes[0]!);
    expect(results[1]).toEqual(results[0]);
  });
});

afterAll(() => device.idle());
