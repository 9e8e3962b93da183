import { describe, expect, test } from 'vitest';
import { resizeMap, stretch } from '../../src/explain/maps/coarse-maps.js';
import { COLOUR_MAP, colourOf } from '../../src/explain/pictures/colour-map.js';
import { drawOverlay, shownSize } from '../../src/explain/pictures/overlay.js';
import { pointAt } from '../../src/explain/pointing/pointing.js';

/** Relative luminance of sRGB (ITU-R BT.709). */
function luminance([red, green, blue]: readonly [number, number, number]): number {
  const linear = (byte: number) => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

describe('the colours of a map', () => {
  test('grow lighter evenly, from nearly black to nearly white', () => {
    // CIELAB's lightness (CIE 1976), an authority that the colours were not made by
    const lightness = COLOUR_MAP.map((colour) => {
      const y = luminance(colour);
      return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
    });
    const steps = lightness.slice(1).map((value, i) => value - lightness[i]!);
    const mean = (lightness.at(-1)! - lightness[0]!) / steps.length;
    expect(lightness[0]).toBeLessThan(5);
    expect(lightness.at(-1)).toBeGreaterThan(92);
    // over windows of 16 steps, since bytes are coarse
    for (let i = 0; i + 16 < lightness.length; i += 8) {
      const step = (lightness[i + 16]! - lightness[i]!) / 16;
      expect(step / mean, `steps from ${i}`).toBeGreaterThan(0.5);
      expect(step / mean, `steps from ${i}`).toBeLessThan(1.6);
    }
    expect([colourOf(-1), colourOf(2)]).toEqual([COLOUR_MAP[0], COLOUR_MAP[255]]);
  });
});

describe('an overlay', () => {
  const [height, width] = [300, 600];
  const grey = Uint8Array.from({ length: height * width }, (_, i) => i % 251);
  const draw = (map: Float32Array, mask = false) =>
    drawOverlay({
      grey,
      size: [height, width],
      map,
      lines: ['Mass 0.831', 'grad-cam'],
      mask: mask ? { width: 2, height: 1, inside: Uint8Array.of(0, 1) } : null,
    });

  test('leaves a picture as it is where the map is 0, and colours it where the map is 1', () => {
    const map = new Float32Array(height * width);
    map.fill(1, 0, width);
    const { pixels, ...size } = draw(map);
    expect(size).toMatchObject({ width });
    expect(size.height).toBeGreaterThan(height);
    for (let i = width; i < height * width; i++) {
      if (pixels[3 * i] !== grey[i] || pixels[3 * i + 2] !== grey[i]) throw new Error(`pixel ${i}`);
    }
    const [red, , blue] = colourOf(1);
    expect(pixels[0]).toBeCloseTo(0.6 * red, 0);
    expect(pixels[2]).toBeCloseTo(0.6 * blue, 0);
    // the legend has ink, and the colours of both ends
    const legend = [...pixels.subarray(3 * height * width)];
    expect(new Set(legend).size).toBeGreaterThan(50);
  });

  test('outlines a mask from inside', () => {
    const plain = draw(new Float32Array(height * width));
    const outlined = draw(new Float32Array(height * width), true);
    const changed = (x: number, y: number) =>
      [0, 1, 2].some(
        (c) => plain.pixels[3 * (y * width + x) + c] !== outlined.pixels[3 * (y * width + x) + c],
      );
    expect([changed(width / 2, 150), changed(width - 1, 150), changed(450, 0)]).toEqual([true, true, true]);
    expect([changed(width / 2 - 1, 150), changed(450, 150)]).toEqual([false, false]);
  });

  test('is shown in the proportions of the file, from 512 to 1024 pixels', () => {
    expect(shownSize(256, 256)).toEqual([512, 512]);
    expect(shownSize(3000, 2000)).toEqual([683, 1024]);
    expect(shownSize(600, 800)).toEqual([800, 600]);
  });
});

test('a map of one cell is the same everywhere, and says nothing', () => {
  const map = resizeMap(Float32Array.of(3), [1, 1], [2, 3]);
  expect([...map]).toEqual([3, 3, 3, 3, 3, 3]);
  expect([...stretch(map)]).toEqual([0, 0, 0, 0, 0, 0]);
});

test('pointing: the highest place, the share of the sum, the share of the area', () => {
  const mask = { width: 2, height: 2, inside: Uint8Array.of(1, 0, 0, 0) };
  expect(pointAt(Float32Array.of(4, 1, 2, 1), mask)).toEqual({ hit: true, energy: 0.5, area: 0.25 });
  expect(pointAt(Float32Array.of(1, 3, 0, 0), mask)).toEqual({ hit: false, energy: 0.25, area: 0.25 });
  expect(pointAt(new Float32Array(4), mask)).toEqual({ hit: false, energy: 0, area: 0.25 });
});
