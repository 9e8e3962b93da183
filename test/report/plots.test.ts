import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { html } from '../../src/report/html.js';
import { type Axis, frame, scaleOf, ticksOf } from '../../src/report/plots/frame.js';
import { lineMark, type Point } from '../../src/report/plots/marks.js';
import { binned, spaced } from '../../src/report/plots/thin.js';

describe('axes', () => {
  const texts = (axis: Axis) => ticksOf(axis, scaleOf(axis, [0, 100])).map(({ text }) => text);

  test('a log axis over decades has powers of ten, within one or two also what lies between', () => {
    expect(texts({ scale: 'log', domain: [1e-4, 1], label: '' })).toEqual([
      '1e-4',
      '0.001',
      '0.01',
      '0.1',
      '1',
    ]);
    expect(texts({ scale: 'log', domain: [1e-4, 1], label: '', ticks: 3 })).toEqual(['1e-4', '0.01', '1']);
    expect(texts({ scale: 'log', domain: [0.5, 20], label: '' })).toEqual(['1', '3', '10']);
    expect(texts({ scale: 'log', domain: [0.15, 0.9], label: '' })).toEqual(['0.2', '0.5']);
  });

  test('every tick lies on the axis, whatever its range', () => {
    const size = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(size, fc.double({ min: 1.5, max: 1e6, noNaN: true }), fc.boolean(), (low, factor, log) => {
        const axis: Axis = { scale: log ? 'log' : 'linear', domain: [low, low * factor], label: '' };
        for (const { at, text } of ticksOf(axis, scaleOf(axis, [10, 210]))) {
          expect(at).toBeGreaterThanOrEqual(9.7);
          expect(at).toBeLessThanOrEqual(210.3);
          expect(text).not.toBe('');
        }
      }),
    );
  });

  test('data coordinates land where the axes say', () => {
    const axis: Axis = { scale: 'linear', domain: [0, 1], label: 'a <b>' };
    let corners: number[] = [];
    const drawn = frame({ width: 200, height: 100, x: axis, y: axis, description: '"' }, (area) => {
      corners = [area.x(0), area.x(1), area.y(0), area.y(1)];
      return html`<g/>`;
    });
    expect(corners).toEqual([40, 192, 68, 22]);
    expect(drawn.text).toContain('a &lt;b&gt;');
    expect(drawn.text).toContain('aria-label="&quot;"');
  });
});

test('a line breaks where a value is missing', () => {
  const axis: Axis = { scale: 'linear', domain: [0, 3], label: '' };
  const points: Point[] = [
    [0, 1],
    [1, 1],
    [2, Number.NaN],
    [3, 1],
  ];
  const drawn = frame({ width: 100, height: 100, x: axis, y: axis, description: '' }, (area) =>
    lineMark(area, points, 'series'),
  );
  expect(drawn.text.match(/d="([^"]*)"/)?.[1]?.match(/M/g)).toHaveLength(2);
});

describe('thinning', () => {
  const points = fc
    .array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 500 })
    .map((values) => values.map((y, x): Point => [x, y]));

  test('bins are few and hold every extreme', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 50 }), (given, most) => {
        const bins = binned(given, most);
        expect(bins.length).toBeLessThanOrEqual(most);
        const values = given.map(([, y]) => y);
        expect(Math.min(...bins.map(({ low }) => low))).toBe(Math.min(...values));
        expect(Math.max(...bins.map(({ high }) => high))).toBe(Math.max(...values));
        for (const { y, low, high } of bins) {
          expect(y).toBeGreaterThanOrEqual(low - 1e-9);
          expect(y).toBeLessThanOrEqual(high + 1e-9);
        }
      }),
    );
  });

  test('a point that is left out lies near one that is kept', () => {
    fc.assert(
      fc.property(points, (given) => {
        const kept = spaced(given, 3);
        expect(kept[0]).toEqual(given[0]);
        expect(kept.at(-1)).toEqual(given.at(-1));
        for (const [x, y] of given) {
          expect(kept.some(([kx, ky]) => Math.abs(kx - x) <= 3 && Math.abs(ky - y) <= 3)).toBe(true);
        }
      }),
    );
  });
});
