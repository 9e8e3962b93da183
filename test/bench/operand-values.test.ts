import { describe, expect, test } from 'vitest';
import type { TensorForm } from '../../bench/entrant.js';
import { fromChannelsFirst, operandValues, toChannelsFirst } from '../../bench/operand-values.js';

describe('operands', () => {
  test('are the same numbers for everyone, and others at another place', () => {
    const form = { shape: [3, 50] };
    expect(operandValues(form, 0)).toEqual(operandValues(form, 0));
    expect(operandValues(form, 0)).not.toEqual(operandValues(form, 1));
  });

  test('fill their range evenly', () => {
    const values = operandValues({ shape: [20_000] }, 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.min(...values)).toBeLessThan(-0.99);
    expect(Math.max(...values)).toBeGreaterThan(0.99);
    const labels = operandValues({ shape: [20_000], fill: 'labels' }, 0);
    expect(new Set(labels)).toEqual(new Set([0, 1]));
  });

  test('hide later tokens from earlier ones', () => {
    expect([...operandValues({ shape: [3, 3], fill: 'causal' }, 0)]).toEqual(
      [0, 1, 1, 0, 0, 1, 0, 0, 0].map((hidden) => -1e9 * hidden || 0),
    );
  });
});

describe('channels first', () => {
  test('moves an image as its definition says', () => {
    const image: TensorForm = { shape: [1, 2, 1, 3], layout: 'image' };
    // [h = 0: r g b] [h = 1: r g b]
    const { shape, values } = toChannelsFirst(image, Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(shape).toEqual([1, 3, 2, 1]);
    expect([...values]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test('moves a filter as its definition says', () => {
    const filter: TensorForm = { shape: [1, 1, 2, 3], layout: 'filter' };
    const { shape, values } = toChannelsFirst(filter, Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(shape).toEqual([3, 2, 1, 1]);
    expect([...values]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test.each(['image', 'filter', undefined] as const)('and back gives the same: %s', (layout) => {
    const form = { shape: [2, 3, 4, 5], ...(layout && { layout }) };
    const values = operandValues(form, 0);
    expect(fromChannelsFirst(form, toChannelsFirst(form, values).values)).toEqual(values);
  });
});
