import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Lifetime, place } from '../../../src/engine/plan/place.js';

const ALIGNMENT = 256;
const rounded = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Lifetimes with a symmetric relation of those that must lie in different buffers. */
const plans = fc
  .array(fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), from: fc.nat(20), length: fc.nat(8) }), {
    minLength: 1,
    maxLength: 40,
  })
  .chain((items) =>
    fc
      .array(fc.tuple(fc.nat(items.length - 1), fc.nat(items.length - 1)), { maxLength: 40 })
      .map((pairs): Lifetime[] =>
        items.map(({ bytes, from, length }, i) => ({
          bytes,
          from,
          to: from + length,
          apart: new Set(pairs.flatMap(([a, b]) => (a === b ? [] : a === i ? [b] : b === i ? [a] : []))),
        })),
      ),
  );

describe('place', () => {
  test('values alive at once share no byte; values to be kept apart share no buffer', () => {
    fc.assert(
      fc.property(plans, (lifetimes) => {
        const { places, buffers } = place(lifetimes, ALIGNMENT, Number.MAX_SAFE_INTEGER);
        for (const [i, a] of lifetimes.entries()) {
          const own = places[i]!;
          expect(own.offset % ALIGNMENT).toBe(0);
          expect(own.offset + rounded(a.bytes)).toBeLessThanOrEqual(buffers[own.buffer]!);
          for (const [j, b] of lifetimes.entries()) {
            const other = places[j]!;
            if (i === j) continue;
            if (a.apart.has(j)) expect(own.buffer).not.toBe(other.buffer);
            const atOnce = a.from <= b.to && b.from <= a.to;
            const overlap =
              own.buffer === other.buffer &&
              own.offset < other.offset + rounded(b.bytes) &&
              other.offset < own.offset + rounded(a.bytes);
            expect(atOnce && overlap).toBe(false);
          }
        }
      }),
    );
  });

  test('the peak lies between what is alive at the busiest moment and the sum of everything', () => {
    fc.assert(
      fc.property(plans, (lifetimes) => {
        const { buffers } = place(lifetimes, ALIGNMENT, Number.MAX_SAFE_INTEGER);
        const peak = buffers.reduce((a, b) => a + b, 0);
        const sizes = lifetimes.map(({ bytes }) => rounded(bytes));
        expect(peak).toBeLessThanOrEqual(sizes.reduce((a, b) => a + b, 0));
        for (const { from: moment } of lifetimes) {
          const alive = lifetimes.reduce(
            (sum, { from, to }, i) => sum + (from <= moment && moment <= to ? sizes[i]! : 0),
            0,
          );
          expect(peak).toBeGreaterThanOrEqual(alive);
        }
      }),
    );
  });

  test('no buffer grows beyond the limit', () => {
    fc.assert(
      fc.property(plans, (lifetimes) => {
        const { buffers } = place(lifetimes, ALIGNMENT, rounded(5000));
        for (const bytes of buffers) expect(bytes).toBeLessThanOrEqual(rounded(5000));
      }),
    );
  });

  test('a chain of equal values takes turns in two buffers', () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({
      bytes: 1024,
      from: i,
      to: i + 1,
      apart: new Set([i - 1, i + 1].filter((k) => k >= 0 && k < 10)),
    }));
    expect(place(chain, ALIGNMENT, 1 << 20).buffers).toEqual([1024, 1024]);
  });
});
