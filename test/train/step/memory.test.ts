import { describe, expect, test } from 'vitest';
import { drawAugmentation } from '../../../src/data/images/augment.js';
import { greyPixels } from '../../../src/data/images/prepare.js';
import { MemoryBudgetError } from '../../../src/engine/errors.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import { RecipeError } from '../../../src/recipe/recipe-error.js';
import { lossOf } from '../../../src/recipe/recipe-loss.js';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { formatByteSize, parseByteSize, sufficientByteSize } from '../../../src/text/byte-size.js';
import { memoryAdvice } from '../../../src/train/step/memory-advice.js';
import { Trainer } from '../../../src/train/step/trainer.js';
import { testDevice } from '../../device.js';

const read = (memory: string) => parseRecipe('', { path: 'r.yaml', overrides: [`memory=${memory}`] });

describe('sizes of memory', () => {
  test.each([
    ['4GiB', 4 * 2 ** 30],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['512mib', 512 * 2 ** 20],
    ['6 GB', 6e9],
    ['100kB', 1e5],
    ['12345', 12345],
    ['7 B', 7],
  ])('%s', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
    expect(read(`"${text}"`).memory).toBe(text);
  });

  test.each(['', 'GiB', '4 potatoes', '-1GiB', '0', '0.1B', '4GiB4', '1e9'])('not %o', (text) => {
    expect(parseByteSize(text)).toBeUndefined();
    expect(() => read(`"${text}"`)).toThrow(RecipeError);
  });

  test('are written for people, and as a budget that is large enough', () => {
    expect(formatByteSize(2.5 * 2 ** 30)).toBe('2.50 GiB');
    expect(formatByteSize(3.25 * 2 ** 20)).toBe('3.3 MiB');
    expect(sufficientByteSize(3 * 2 ** 20 + 1)).toBe('4MiB');
    expect(parseByteSize(sufficientByteSize(3 * 2 ** 20 + 1))).toBeGreaterThan(3 * 2 ** 20);
  });
});

describe('advice where nothing fits', () => {
  const error = new MemoryBudgetError('the parts', 700);
  const advice = (limit: number) =>
    memoryAdvice(error, {
      memory: 500,
      beside: 100,
      batchSize: 32,
      fits(batchSize) {
        if (batchSize === 1) throw new MemoryBudgetError('too small for a norm', 0);
        return batchSize <= limit;
      },
    });

  test.each([2, 5, 16, 31])('the largest batch that fits: %i', (limit) => {
    const { message, leastBytes } = advice(limit);
    expect(leastBytes).toBe(800);
    expect(message).toContain(
      `fit batches of ${limit} instead of 32 (--set batchSize=${limit}; with accumulate=${Math.ceil(32 / limit)} a step has as many images)`,
    );
    expect(message).toContain('Of this, 100 B is for evaluation; of the step, the parts.');
  });

  test('none fits', () => {
    expect(advice(0).message).toMatch(/not even single images/);
  });
});

describe('a trainer within a memory budget', () => {
  const recipeWith = (memory?: string): Recipe =>
    parseRecipe(
      `
preprocessing: {size: [32, 32]}
model: {arch: resnet10, stem: small-stride2, width: 4, dropRate: 0.1}
batchSize: 8
${memory === undefined ? '' : `memory: "${memory}"`}`,
      { path: 'r.yaml' },
    );
  const create = async (memory?: string) =>
    Trainer.create(await testDevice(), {
      recipe: recipeWith(memory),
      classes: 3,
      loss: lossOf(recipeWith(memory).loss),
      statistics: { classCounts: [5, 5, 5], samples: 16 },
      stepsPerEpoch: 2,
    });

  test('takes the same steps to the last bit, and no more memory than allowed', async () => {
    const states: unknown[] = [];
    const peaks: number[] = [];
    const step = async (memory?: string) => {
      const trainer = await create(memory);
      await trainer.initialise();
      const { augment, preprocessing } = recipeWith();
      const batch = {
        pixels: greyPixels(preprocessing.bits, 8 * 32 * 32).map((_, i) => (i * 977) % 65536),
        changes: Array.from({ length: 8 }, (_, slot) =>
          drawAugmentation(augment || expect.fail('no augmentation'), preprocessing.size, {
            seed: 0,
            epoch: 0,
            slot,
          }),
        ),
        mixes: [],
      };
      const targets = Float32Array.from({ length: 24 }, (_, i) => (i * 7) % 2);
      for (let i = 0; i < 3; i++) trainer.step.run({ ...batch, targets }, i);
      states.push(await trainer.step.scalars(), ...(await trainer.state.arena('params').readAll()).values());
      peaks.push(trainer.peakBytes);
      const { recomputation } = trainer.step;
      trainer.destroy();
      return recomputation;
    };
    expect(await step()).toBeUndefined();
    const free = states.splice(0);
    const budget = peaks[0]! - 1;
    const recomputation = await step(String(budget));
    expect(recomputation?.recomputed).toBeGreaterThan(0);
    expect(peaks[1]).toBeLessThanOrEqual(budget);
    expect(peaks[1]! + recomputation!.savedBytes).toBe(peaks[0]);
    expect(states).toEqual(free);
  });

  test('says what would do, and that is true', async () => {
    const refused = create('1MiB');
    await expect(refused).rejects.toThrow(MemoryBudgetError);
    const least = await refused.catch((error: MemoryBudgetError) => error.leastBytes);
    const trainer = await create(String(least));
    expect(trainer.peakBytes).toBeLessThanOrEqual(least as number);
    trainer.destroy();
    await expect(create(String(Math.floor(0.95 * (least as number))))).rejects.toThrow(
      /fit batches of 7 instead of 8/,
    );
  });
});
