import sharp from 'sharp';
import { Random } from '../../../src/engine/random.js';

/** The picture that make_images.py makes: ((y·width + x)·7919 + y·x·31) mod 65536, [height, width]. */
export function picture(height: number, width: number): Uint16Array {
  return Uint16Array.from({ length: height * width }, (_, i) => {
    const y = Math.floor(i / width);
    return (i * 7919 + y * (i % width) * 31) % 65536;
  });
}

/** A 16-bit grey PNG. */
export async function png16(pixels: Uint16Array, height: number, width: number): Promise<Buffer> {
  return sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toBuffer();
}

/** An 8-bit PNG of 1, 3 or 4 channels. */
export async function png8(
  samples: Uint8Array,
  height: number,
  width: number,
  channels: 1 | 3 | 4 = 1,
): Promise<Buffer> {
  const space = channels === 1 ? 'b-w' : 'srgb';
  return sharp(samples, { raw: { width, height, channels } }).toColourspace(space).png().toBuffer();
}

/** A small 16-bit PNG whose grey depends on the number, for data sets of pictures that can be told apart. */
export async function numberedPng(number: number): Promise<Buffer> {
  return png16(
    picture(8, 8).map((value, i) => (value >> 1) + ((number * 997 + i) % 20000)),
    8,
    8,
  );
}

/** A smooth 8-bit picture with some structure, another one for each seed: [size, size]. */
export function wavyPicture(seed: number, size = 96): Uint8Array {
  const random = new Random(seed, 'picture');
  const waves = Array.from({ length: 12 }, () => ({
    x: random.uniform(-5, 5),
    y: random.uniform(-5, 5),
    phase: random.uniform(0, 7),
    height: random.uniform(5, 20),
  }));
  return Uint8Array.from({ length: size * size }, (_, i) => {
    const [v, u] = [Math.floor(i / size) / size, (i % size) / size];
    let value = 128;
    for (const { x, y, phase, height } of waves) value += height * Math.sin(3 * (x * u + y * v) + phase);
    return Math.max(0, Math.min(255, Math.round(value)));
  });
}
