import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hash32, Random } from '../../src/engine/random.js';

/** PCG-XSH-RR 64/32 as O'Neill's reference code has it, in BigInt. */
function* pcg(state: bigint): Generator<number> {
  const mask = (1n << 64n) - 1n;
  for (let s = state; ; ) {
    const xorshifted = Number((((s >> 18n) ^ s) >> 27n) & 0xffffffffn);
    const rotation = Number(s >> 59n);
    yield ((xorshifted >>> rotation) | (xorshifted << (-rotation & 31))) >>> 0;
    s = (s * 6364136223846793005n + 1442695040888963407n) & mask;
  }
}

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.uint32());

describe('Random', () => {
  test('is PCG-XSH-RR over 64 bits, for any seed and labels', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.array(fc.oneof(fc.string(), fc.nat())), (seed, labels) => {
        const text = [seed, ...labels].join('/');
        const state = (BigInt(hash32(text, 0x9e3779b9)) << 32n) | BigInt(hash32(text, 0x85ebca6b));
        const reference = pcg(state);
        // The constructor steps once.
        reference.next();
        expect(draw(new Random(seed, ...labels), 20)).toEqual(
          Array.from({ length: 20 }, () => reference.next().value),
        );
      }),
    );
  });

  test('the same names give the same stream, other names give another', () => {
    expect(draw(new Random(1, 'shuffle', 3), 8)).toEqual(draw(new Random(1, 'shuffle', 3), 8));
    const streams = [
      new Random(1, 'shuffle', 3),
      new Random(1, 'shuffle', 4),
      new Random(2, 'shuffle', 3),
      new Random(1, 'augment', 3),
      new Random(1),
    ].map((random) => draw(random, 8).join());
    expect(new Set(streams).size).toBe(streams.length);
  });

  test('streams of neighbouring labels are uncorrelated', () => {
    const correlation = (a: number[], b: number[]) =>
      a.reduce((sum, value, i) => sum + (value - 0.5) * (b[i]! - 0.5), 0) / (a.length / 12);
    for (let epoch = 0; epoch < 10; epoch++) {
      const [a, b] = [new Random(0, 'shuffle', epoch), new Random(0, 'shuffle', epoch + 1)];
      const size = 20_000;
      const values = [a, b].map((random) => Array.from({ length: size }, () => random.uniform()));
      expect(Math.abs(correlation(values[0]!, values[1]!))).toBeLessThan(5 / Math.sqrt(size));
    }
  });

  test('uniform and normal have the moments of their distributions', () => {
    const random = new Random(9);
    const size = 100_000;
    const uniform = Array.from({ length: size }, () => random.uniform(-1, 3));
    const mean = uniform.reduce((a, b) => a + b, 0) / size;
    expect(Math.min(...uniform.slice(0, 50_000))).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...uniform.slice(0, 50_000))).toBeLessThan(3);
    expect(Math.abs(mean - 1)).toBeLessThan((5 * Math.sqrt(16 / 12)) / Math.sqrt(size));

    const normal = Array.from({ length: size }, () => random.normal());
    const moment = (k: number) => normal.reduce((sum, value) => sum + value ** k, 0) / size;
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(size));
    expect(Math.abs(moment(2) - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(size));
    expect(Math.abs(moment(4) - 3)).toBeLessThan((5 * Math.sqrt(96)) / Math.sqrt(size));
    // Both values of a Box–Muller pair come out, and they are independent.
    const pairs =
      normal.reduce((sum, value, i) => sum + (i % 2 ? value * normal[i - 1]! : 0), 0) / (size / 2);
    expect(Math.abs(pairs)).toBeLessThan(5 / Math.sqrt(size / 2));
  });

  test('int hits every value about equally often', () => {
    const random = new Random(11);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.int(7)]!++;
    // χ² of 6 degrees of freedom: above 30 with probability 4e-5.
    expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(30);
    expect(new Random(1).int(1)).toBe(0);
  });

  test('shuffle gives a permutation, every first element about equally often, and leaves its argument', () => {
    const random = new Random(13);
    const items = ['a', 'b', 'c', 'd', 'e'];
    const firsts = new Map<string, number>();
    for (let i = 0; i < 10_000; i++) {
      const shuffled = random.shuffle(items);
      expect([...shuffled].sort()).toEqual(items);
      firsts.set(shuffled[0]!, (firsts.get(shuffled[0]!) ?? 0) + 1);
    }
    expect(items).toEqual(['a', 'b', 'c', 'd', 'e']);
    // χ² of 4 degrees of freedom: above 26 with probability 3e-5.
    expect([...firsts.values()].reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)).toBeLessThan(26);
  });

  test('chance and pick', () => {
    const random = new Random(17);
    let hits = 0;
    for (let i = 0; i < 20_000; i++) hits += Number(random.chance(0.2));
    expect(Math.abs(hits / 20_000 - 0.2)).toBeLessThan(5 * Math.sqrt(0.16 / 20_000));
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
    expect(['x', 'y']).toContain(random.pick(['x', 'y']));
    expect(() => random.pick([])).toThrow(RangeError);
  });
});

describe('gamma and beta', () => {
  const size = 40_000;
  const moments = (draw: () => number) => {
    const values = Array.from({ length: size }, draw);
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    const about = (k: number) => values.reduce((sum, value) => sum + (value - mean) ** k, 0) / size;
    return { mean, variance: about(2), third: about(3) };
  };

  test.each([0.05, 0.2, 0.7, 1, 1.5, 8, 100])(
    'gamma of shape %d has mean, variance and skewness',
    (shape) => {
      const random = new Random(11, 'gamma', shape);
      const { mean, variance, third } = moments(() => Math.exp(random.logGamma(shape)));
      // within five standard errors; those of higher moments grow with the tail
      expect(Math.abs(mean - shape)).toBeLessThan(5 * Math.sqrt(shape / size));
      expect(Math.abs(variance / shape - 1)).toBeLessThan(5 * Math.sqrt((2 + 6 / shape) / size));
      expect(Math.abs(third / (2 * shape) - 1)).toBeLessThan(0.25 + 0.1 / shape);
    },
  );

  test.each([
    [1, 1],
    [0.2, 0.2],
    [0.001, 0.001],
    [2, 5],
    [0.4, 3],
  ])('beta of %d and %d', (a, b) => {
    const random = new Random(12, 'beta', a, b);
    const { mean, variance } = moments(() => {
      const value = random.beta(a, b);
      if (!(value >= 0 && value <= 1)) throw new RangeError(`${value}`);
      return value;
    });
    const expected = (a * b) / ((a + b) ** 2 * (a + b + 1));
    expect(Math.abs(mean - a / (a + b))).toBeLessThan(5 * Math.sqrt(expected / size));
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.04);
  });
});
