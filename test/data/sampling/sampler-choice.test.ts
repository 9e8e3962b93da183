import { describe, expect, test } from 'vitest';
import { type LabelledSamples, SamplerError } from '../../../src/data/sampling/expected-visits.js';
import { sampledFrequencies } from '../../../src/data/sampling/sampled-frequencies.js';
import { createSampler, describeSampler, samplerSchema } from '../../../src/data/sampling/sampler-choice.js';
import { Random } from '../../../src/engine/random.js';

const nan = Number.NaN;

/** Samples with these rows of labels. */
function samplesOf(rows: readonly (readonly number[])[]): LabelledSamples {
  const classes = (rows[0] ?? []).map((_, c) => `class ${c}`);
  return { length: rows.length, classes, labels: (i) => rows[i] ?? [] };
}

const expectedOf = (choice: object, rows: readonly (readonly number[])[]) => [
  ...createSampler(samplerSchema.parse(choice), samplesOf(rows), 0).expected,
];

describe('repeat factors by hand', () => {
  // n = 96, 3, 1: label mass 100, in 100 rows of which 2 have no positive
  const rows = [
    ...new Array<number[]>(94).fill([1, 0, 0]),
    [1, 1, 0],
    [1, 0, 1],
    [0, 1, nan],
    [0, 1, 0],
    [0, nan, 0],
    [nan, nan, nan],
  ];

  test('by label mass: √(t/f) of the rarest finding, to whole numbers', () => {
    // f = 0.96, 0.03, 0.01; at t = 0.09: r = 1, √3 ≈ 1.73 → 2, √9 = 3
    const got = expectedOf({ name: 'repeat-factor', threshold: 0.09 }, rows);
    expect(got).toEqual([...new Array<number>(94).fill(1), 2, 3, 2, 2, 1, 1]);
  });

  test('the cap, and the paper’s values by default', () => {
    expect(expectedOf({ name: 'repeat-factor', threshold: 1, cap: 4 }, rows).slice(94)).toEqual([
      4, 4, 4, 4, 1, 1,
    ]);
    expect(samplerSchema.parse({ name: 'repeat-factor' })).toEqual({
      name: 'repeat-factor',
      frequency: 'label-mass',
      threshold: 0.01,
      cap: 10,
      rounding: 'nearest',
    });
    // f = 1/10,001: √(0.01 · 10,001) ≈ 10.0005; two of a hundred times as many: 7.07 → 7
    const rare = (n: number) => [
      ...new Array<number[]>(10_000).fill([1, 0]),
      ...new Array<number[]>(n).fill([0, 1]),
    ];
    expect(expectedOf({ name: 'repeat-factor' }, rare(1)).at(-1)).toBe(10);
    expect(expectedOf({ name: 'repeat-factor' }, rare(2)).at(-1)).toBe(7);
  });

  test('by images: LVIS’s f = n/N and t = 0.001, left to chance', () => {
    expect(samplerSchema.parse({ name: 'repeat-factor', frequency: 'images' })).toEqual({
      name: 'repeat-factor',
      frequency: 'images',
      threshold: 0.001,
      cap: false,
      rounding: 'stochastic',
    });
    const got = expectedOf({ name: 'repeat-factor', frequency: 'images', threshold: 0.06 }, rows);
    expect(got.slice(93)).toEqual([1, Math.SQRT2, Math.sqrt(6), Math.SQRT2, Math.SQRT2, 1, 1]);
    // nothing is below a thousandth here
    expect(expectedOf({ name: 'repeat-factor', frequency: 'images' }, rows)).toEqual(
      new Array<number>(100).fill(1),
    );
  });
});

describe('drawing classes', () => {
  const rows = [
    [1, 0, 0],
    [1, 0, 0],
    [1, 0, 0],
    [1, 1, 0],
    [0, 0, 0],
    [0, nan, 0],
    [0, 1, nan],
    [1, 0, 0],
  ];

  /** The definition taken literally: draw a class, then an image that has it. */
  function simulate(power: number, withNegatives: boolean, draws: number): Float64Array {
    const random = new Random(5);
    const members = [0, 1, 2].map((c) => [...rows.keys()].filter((i) => rows[i]![c] === 1));
    if (withNegatives) members.push([4, 5]);
    const drawn = members.filter((images) => images.length > 0);
    const weights = drawn.map((images) => images.length ** power);
    const sum = weights.reduce((a, b) => a + b, 0);
    const visits = new Float64Array(rows.length);
    for (let draw = 0; draw < draws; draw++) {
      const at = random.uniform() * sum;
      const c = weights.findIndex((_, k) => at < weights.slice(0, k + 1).reduce((a, b) => a + b, 0));
      visits[random.pick(drawn[c]!)]! += 1 / draws;
    }
    return visits;
  }

  test.each([
    { name: 'class-aware', power: 0, withoutPositives: 'class' },
    { name: 'class-aware', power: 0, withoutPositives: 'never' },
    { name: 'square-root', power: 0.5, withoutPositives: 'class' },
    { name: 'square-root', power: 0.5, withoutPositives: 'never' },
  ])('$name, images without positives: $withoutPositives', ({ name, power, withoutPositives }) => {
    const draws = 100_000;
    const literal = simulate(power, withoutPositives === 'class', draws);
    const expected = expectedOf({ name, withoutPositives, epochFactor: 2 }, rows);
    expect(expected.reduce((a, b) => a + b, 0)).toBeCloseTo(16, 9);
    for (const [i, share] of literal.entries()) {
      const p = expected[i]! / 16;
      expect(Math.abs(share - p)).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / draws));
    }
  });

  test('class-aware: single-label classes are met equally often', () => {
    const single = [
      [1, 0],
      [1, 0],
      [1, 0],
      [1, 0],
      [1, 0],
      [1, 0],
      [0, 1],
      [0, 1],
    ];
    const order = createSampler(samplerSchema.parse({ name: 'class-aware' }), samplesOf(single), 3).order(0);
    expect(order).toHaveLength(8);
    expect(order.filter((i) => i >= 6)).toHaveLength(4);
  });

  test('without any positive there is no class to draw', () => {
    const empty = [
      [0, nan],
      [0, 0],
    ];
    const make = (withoutPositives: string) => () =>
      expectedOf({ name: 'class-aware', withoutPositives }, empty);
    expect(make('never')).toThrow(SamplerError);
    expect(make('class')()).toEqual([1, 1]);
  });
});

test('frequencies before and after', () => {
  const rows = [
    [1, 0],
    [1, 0],
    [1, 1],
    [0, nan],
  ];
  const samples = samplesOf(rows);
  const sampler = createSampler(
    samplerSchema.parse({ name: 'class-aware', withoutPositives: 'never' }),
    samples,
    0,
  );
  // L = 4, two visits a class: images of class 0 get 2/3 each, the one of class 1 gets 2 more
  expect([...sampler.expected]).toEqual([2 / 3, 2 / 3, 2 / 3 + 2, 0]);
  const { classes, ...rest } = sampledFrequencies(samples, sampler);
  expect(rest).toEqual({ length: 4, images: 4, never: 1, most: 2 / 3 + 2 });
  expect(classes.map(({ positives, before, group }) => ({ positives, before, group }))).toEqual([
    { positives: 3, before: 0.75, group: 'head' },
    { positives: 1, before: 0.25, group: 'head' },
  ]);
  expect(classes[0]?.after).toBeCloseTo(1, 12);
  expect(classes[1]?.after).toBeCloseTo(2 / 3, 12);
});

test('a choice in words', () => {
  expect(describeSampler(samplerSchema.parse({}))).toBe('shuffled');
  expect(describeSampler(samplerSchema.parse({ name: 'repeat-factor', frequency: 'images' }))).toBe(
    'repeat-factor (frequency images, threshold 0.001, cap none, rounding stochastic)',
  );
});
