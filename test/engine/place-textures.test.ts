import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placeTextures, type TextureNeed, textureBytes } from '../../src/engine/place-textures.js';

const need = (width: number, height: number, from: number, to = from): TextureNeed => ({
  width,
  height,
  from,
  to,
});

const needs = fc.array(
  fc
    .tuple(fc.constantFrom(16, 32), fc.integer({ min: 1, max: 9 }), fc.nat(12), fc.nat(3))
    .map(([width, height, from, length]) => need(width, height, from, from + length)),
  { maxLength: 30 },
);

describe('placeTextures', () => {
  test('every need gets a texture of its width, tall enough, that nobody else uses meanwhile', () => {
    fc.assert(
      fc.property(needs, (wanted) => {
        const { places, sizes } = placeTextures(wanted);
        for (const [i, a] of wanted.entries()) {
          const size = sizes[places[i]!]!;
          expect(size.width).toBe(a.width);
          expect(size.height).toBeGreaterThanOrEqual(a.height);
          for (const [j, b] of wanted.entries()) {
            const atOnce = i !== j && a.from <= b.to && b.from <= a.to;
            expect(atOnce && places[i] === places[j]).toBe(false);
          }
        }
      }),
    );
  });

  test('a texture for each width, as tall as the tallest, and a second one where two are needed at once', () => {
    const { places, sizes } = placeTextures([
      need(16, 4, 0, 1),
      need(16, 9, 1),
      need(16, 8, 2),
      need(32, 2, 3),
      need(16, 3, 3),
    ]);
    expect(sizes).toEqual([
      { width: 16, height: 9 },
      { width: 16, height: 4 },
      { width: 32, height: 2 },
    ]);
    expect(places).toEqual([1, 0, 0, 2, 0]);
    expect(sizes.map(textureBytes)).toEqual([2304, 1024, 1024]);
  });
});
