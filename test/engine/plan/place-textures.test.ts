import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placeTextures, type TextureNeed, textureBytes } from '../../../src/engine/plan/place-textures.js';

const need = (
  width: number,
  height: number,
  from: number,
  to = from,
  format: TextureNeed['format'] = 'rgba32float',
): TextureNeed => ({ width, height, format, from, to });

const FORMATS = ['rgba32float', 'rgba16float'] as const;

const needs = fc.array(
  fc
    .tuple(
      fc.constantFrom(16, 32),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(12),
      fc.nat(3),
      fc.constantFrom(...FORMATS),
    )
    .map(([width, height, from, length, format]) => need(width, height, from, from + length, format)),
  { maxLength: 30 },
);

describe('placeTextures', () => {
  test('every need gets a texture of its width and format, tall enough, that nobody else uses meanwhile', () => {
    fc.assert(
      fc.property(needs, (wanted) => {
        const { places, sizes } = placeTextures(wanted);
        for (const [i, a] of wanted.entries()) {
          const size = sizes[places[i]!]!;
          expect(size).toMatchObject({ width: a.width, format: a.format });
          expect(size.height).toBeGreaterThanOrEqual(a.height);
          for (const [j, b] of wanted.entries()) {
            const atOnce = i !== j && a.from <= b.to && b.from <= a.to;
            expect(atOnce && places[i] === places[j]).toBe(false);
          }
        }
      }),
    );
  });

  test('a texture for each width and format, as tall as the tallest, and a second one where two are needed at once', () => {
    const { places, sizes } = placeTextures([
      need(16, 4, 0, 1),
      need(16, 9, 1),
      need(16, 8, 2),
      need(32, 2, 3),
      need(16, 3, 3),
      need(16, 3, 4, 4, 'rgba16float'),
    ]);
    expect(sizes).toEqual([
      { width: 16, height: 9, format: 'rgba32float' },
      { width: 16, height: 4, format: 'rgba32float' },
      { width: 16, height: 3, format: 'rgba16float' },
      { width: 32, height: 2, format: 'rgba32float' },
    ]);
    expect(places).toEqual([1, 0, 0, 3, 0, 2]);
    expect(sizes.map(textureBytes)).toEqual([2304, 1024, 384, 1024]);
  });
});
