import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sequentialSampler, shuffledSampler, weightedSampler } from '../../../src/data/sampling/sampler.js';
import { drawVisits, spreadVisits } from '../../../src/data/sampling/visit-order.js';
import { Random } from '../../../src/engine/random.js';

/** How often each of `n` positions occurs. */
function tallyOf(order: Int32Array, n: number): number[] {
  const counts = new Array<number>(n).fill(0);
  for (const position of order) counts[position]!++;
  return counts;
}

/** The least distance between two visits of one position, for each position with several. */
function leastDistances(order: Int32Array): Map<number, number> {
  const last = new Map<number, number>();
  const least = new Map<number, number>();
  for (const [at, position] of order.entries()) {
    const before = last.get(position);
    if (before !== undefined) least.set(position, Math.min(least.get(position) ?? order.length, at - before));
    last.set(position, at);
  }
  return least;
}

describe('samplers without repeats', () => {
  test('shuffled: a permutation, another one each epoch and seed, the same again', () => {
    const sampler = shuffledSampler(50, 1);
    expect(sampler.length).toBe(50);
    expect([...sampler.order(0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(sampler.order(0)).toEqual(shuffledSampler(50, 1).order(0));
    expect(sampler.order(1)).not.toEqual(sampler.order(0));
    expect(shuffledSampler(50, 2).order(0)).not.toEqual(sampler.order(0));
  });

  test('sequential', () => {
    expect([...sequentialSampler(3).order(7)]).toEqual([0, 1, 2]);
  });
});

const expectedVisits = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 4 }), fc.double({ min: 0, max: 5, noNaN: true })), {
    minLength: 1,
    maxLength: 60,
  })
  .map((visits) => Float64Array.from(visits));

describe('weighted sampler', () => {
  test('every epoch has the stated length, and each sample its visits rounded up or down', () => {
    fc.assert(
      fc.property(expectedVisits, fc.nat(1000), fc.nat(50), (expected, seed, epoch) => {
        const sampler = weightedSampler(expected, seed);
        const sum = expected.reduce((total, visits) => total + visits, 0);
        expect(Math.abs(sampler.length - sum)).toBeLessThan(1);
        const order = sampler.order(epoch);
        expect(order).toHaveLength(sampler.length);
        let short = 0;
        for (const [i, count] of tallyOf(order, expected.length).entries()) {
          expect(count).toBeLessThanOrEqual(Math.ceil(expected[i]!));
          short += Math.max(0, Math.floor(expected[i]!) - count);
        }
        // where chance gives one visit more than the length, the last of the order goes
        expect(short).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('whole numbers are kept exactly', () => {
    const expected = Float64Array.of(1, 3, 0, 10, 1, 2);
    for (let epoch = 0; epoch < 5; epoch++) {
      expect(tallyOf(weightedSampler(expected, 4).order(epoch), 6)).toEqual([1, 3, 0, 10, 1, 2]);
    }
  });

  test('pure in the epoch; epochs and seeds differ', () => {
    const expected = Float64Array.from({ length: 40 }, (_, i) => 0.5 + i / 20);
    const sampler = weightedSampler(expected, 3);
    const second = sampler.order(1);
    expect(sampler.order(0)).not.toEqual(second);
    expect(weightedSampler(expected, 3).order(1)).toEqual(second);
    expect(weightedSampler(expected, 4).order(1)).not.toEqual(second);
  });

  test('over many epochs each sample comes as often as expected', () => {
    const expected = Float64Array.of(0.05, 0.3, 0.3, 0.31, 0.9, 1.0, 1.25, 2.5, 4.99, 0.4);
    const epochs = 4000;
    const total = new Float64Array(expected.length);
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const [i, count] of drawVisits(expected, new Random(9, epoch)).entries()) total[i]! += count;
    }
    for (const [i, visits] of expected.entries()) {
      const fraction = visits - Math.floor(visits);
      const deviation = Math.sqrt((fraction * (1 - fraction)) / epochs);
      expect(Math.abs(total[i]! / epochs - visits)).toBeLessThanOrEqual(4.5 * deviation + 1e-9);
    }
  });

  test('samples with equal chances get their number of visits together, ± 1', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0.01, max: 3, noNaN: true }), fc.integer({ min: 1, max: 30 })), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.nat(1000),
        (groups, seed) => {
          const expected = Float64Array.from(
            groups.flatMap(([visits, n]) => new Array<number>(n).fill(visits)),
          );
          const drawn = drawVisits(expected, new Random(seed));
          for (const [visits] of groups) {
            const members = [...expected.keys()].filter((i) => expected[i] === visits);
            const got = members.reduce((sum, i) => sum + drawn[i]!, 0);
            expect(Math.abs(got - members.length * visits)).toBeLessThan(1 + 1e-6);
          }
        },
      ),
    );
  });
});

describe('repeats are spread over the epoch', () => {
  test.each([
    { n: 300, most: 4 },
    { n: 2000, most: 10 },
  ])('$n samples with up to $most visits', ({ n, most }) => {
    for (let seed = 0; seed < 20; seed++) {
      const random = new Random(seed, 'made');
      const visits = Int32Array.from({ length: n }, () => random.int(most + 1));
      const order = spreadVisits(visits, new Random(seed));
      expect(tallyOf(order, n)).toEqual([...visits]);
      for (const [position, distance] of leastDistances(order)) {
        const mean = order.length / visits[position]!;
        expect(distance).toBeGreaterThan(0.75 * mean - 4 * Math.sqrt(mean));
      }
    }
  });

  test('one rare sample among many never meets itself in a batch', () => {
    const order = weightedSampler(Float64Array.of(10, ...new Array<number>(990).fill(1)), 0).order(0);
    expect(order).toHaveLength(1000);
    expect(leastDistances(order).get(0)).toBeGreaterThan(50);
  });

  test('no place of the epoch has more repeats than another', () => {
    // 200 samples with 5 visits among 1000 with one: half of the visits, in every tenth of the epoch
    const visits = Int32Array.from({ length: 1200 }, (_, i) => (i < 200 ? 5 : 1));
    const tenths = new Float64Array(10);
    for (let seed = 0; seed < 50; seed++) {
      for (const [at, i] of spreadVisits(visits, new Random(seed)).entries()) {
        if (i < 200) tenths[Math.floor(at / 200)]! += 1 / 50;
      }
    }
    for (const repeats of tenths) expect(Math.abs(repeats - 100)).toBeLessThan(5);
  });

  test('samples that stood side by side don’t do so again at each of their visits', () => {
    const order = spreadVisits(new Int32Array(400).fill(4), new Random(2));
    const pairs = new Map<string, number>();
    for (let at = 1; at < order.length; at++) {
      const pair = `${order[at - 1]},${order[at]}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    expect(Math.max(...pairs.values())).toBeLessThan(4);
  });
});
