import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { repeatFactorVisits } from '../../src/data/sampling/expected-visits.js';
import { resolveRecipe } from '../../src/recipe/recipe.js';
import { stageRecipes } from '../../src/recipe/recipe-stages.js';
import { groupParameters } from '../../src/train/step/parameter-groups.js';
import { scheduleFactor } from '../../src/train/step/schedule.js';
import { modelOf, scheduleOf } from '../../src/train/step/trainer.js';

/** Rates, decays and repeats of the paper's Task 1 system, by PyTorch and by its formula: test/golden/make_task1.py. */
const golden = JSON.parse(readFileSync(new URL('../golden/task1.json', import.meta.url), 'utf8'));

const { recipe } = await resolveRecipe('recipes/cxrlt2026-task1.yaml');
const stages = new Map(stageRecipes(recipe).map((stage, i) => [recipe.stages?.[i]?.name, stage]));

/** The groups of a stage on a narrow network of the same kind: names and their order are those of the large one. */
function groupsOf(name: string) {
  const stage = stages.get(name);
  if (stage === undefined) throw new Error(`the recipe has no stage ${name}`);
  const narrow = { ...stage, model: { ...stage.model, width: 16 } };
  return { stage, groups: groupParameters(modelOf(narrow, 30), stage.optimizer) };
}

test.each([
  ['head', ['head']],
  ['finetune', ['backbone', 'head']],
])('rate by epoch and group, stage %s', (name, members) => {
  const { stage, groups } = groupsOf(name);
  const stepsPerEpoch = 9;
  const schedule = scheduleOf(stage, stepsPerEpoch);
  const trained = groups.groups.filter(({ frozen }) => !frozen);
  const isHead = (parameter: string) => /^(bn|head)\.(?!norm\.)/.test(parameter);
  expect(stage.schedule.epochs).toBe(golden[name].length);
  for (const [epoch, expected] of golden[name].entries()) {
    for (const step of [0, stepsPerEpoch - 1]) {
      const rate = stage.optimizer.lr * scheduleFactor(schedule, epoch * stepsPerEpoch + step);
      for (const { spec, learningRateScale, weightDecay } of trained.flatMap(
        ({ parameters }) => parameters,
      )) {
        const member = isHead(spec.name) ? 'head' : 'backbone';
        const column = members.indexOf(member);
        expect(column, spec.name).toBeGreaterThanOrEqual(0);
        expect((rate * learningRateScale) / expected[column], spec.name).toBeCloseTo(1, 12);
        expect(weightDecay, spec.name).toBe(golden.decays[name][member]);
      }
    }
  }
});

test('repeats by sample', () => {
  const { sampler } = groupsOf('finetune').stage;
  if (sampler.name !== 'repeat-factor') throw new Error(`the sampler is ${sampler.name}`);
  const positives: number[][] = [...golden.positives, ...new Array<number[]>(golden.common).fill([0])];
  const samples = {
    length: positives.length,
    classes: Array.from({ length: 30 }, (_, c) => `class ${c}`),
    labels: (i: number) => Float32Array.from({ length: 30 }, (_, c) => (positives[i]?.includes(c) ? 1 : 0)),
  };
  expect([...repeatFactorVisits(samples, sampler)].slice(0, golden.repeats.length)).toEqual(golden.repeats);
  expect(Math.max(...golden.repeats)).toBe(10);
});

test('all other values of the paper’s second stage', () => {
  const { stage: head } = groupsOf('head');
  const { stage, groups } = groupsOf('finetune');
  expect(recipe.model.arch).toBe('convnextv2_base');
  expect(stage.model).toMatchObject({ head: { name: 'csra', lambda: 0.1 }, dropPathRate: 0.2 });
  expect(stage.preprocessing).toMatchObject({
    size: [512, 512],
    channels: 3,
    bits: 8,
    window: { kind: 'percentile', low: 0.5, high: 99.5 },
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  });
  expect(stage.optimizer).toMatchObject({ name: 'adamw', eps: 1e-5, clipNorm: 1, decayNormsAndBiases: true });
  expect(stage.batchSize * stage.accumulate).toBe(256);
  expect(stage.precision).toBe('f16');
  expect(stage.ema).toEqual({ decay: 0.9999, warmup: false });
  expect(head.ema).toBe(false);
  expect(stage.loss).toMatchObject({ name: 'db-margin', reduction: 'mean' });
  expect(stage.augment).toMatchObject({
    flip: { p: 0.5 },
    affine: { p: 0.4, shift: 0.03, scale: 0.05, rotate: 7 },
    clahe: { p: 0.2, clip: 2, tiles: 8 },
    brightnessContrast: { p: 0.2, brightness: 0.08, contrast: 0.08 },
    noise: { p: 0.15, variance: [1, 5] },
    dropout: { p: 0.15, holes: 6 },
  });
  expect(stage.data).toMatchObject({ validationFraction: 0.1, splitSeed: 42 });
  expect(stage.data.classes).toHaveLength(30);
  // the last norm of the backbone learns as the backbone does
  const norm = groups.groups.find(({ parameters }) =>
    parameters.some(({ spec }) => spec.name.startsWith('head.norm')),
  );
  expect(stage.optimizer.lr * (norm?.parameters[0]?.learningRateScale ?? 0)).toBeCloseTo(1.5e-5, 12);
});
