import type { View } from './view.js';

/**
 * Turned about the middle, bilinear; beyond its edges an image goes on as its mirror image. On square images this is
 * PyTorch's `affine_grid` and `grid_sample` with `padding_mode='reflection'` and `align_corners=False`; there other images
 * are sheared, here they are turned as well.
 * @param degrees by which the places that are read are turned clockwise: the image itself turns the other way round
 */
export function rotated(degrees: number): View {
  return (images, [height, width, channels]) => {
    const result = new Float32Array(images.length);
    const { pixels, shares } = readPlaces(degrees, height, width);
    const size = height * width * channels;
    for (let at = 0; at < result.length; at++) {
      const channel = at % channels;
      const start = at - (at % size);
      const first = (4 * ((at % size) - channel)) / channels;
      let sum = 0;
      for (let k = first; k < first + 4; k++) {
        sum += (shares[k] as number) * (images[start + (pixels[k] as number) * channels + channel] as number);
      }
      result[at] = sum;
    }
    return result;
  };
}

/** For each pixel, row by row, the four pixels that it is made of, and their shares: [height · width, 4] each. */
function readPlaces(degrees: number, height: number, width: number) {
  const pixels = new Int32Array(height * width * 4);
  const shares = new Float64Array(height * width * 4);
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  for (let i = 0; i < height * width; i++) {
    const [dx, dy] = [(i % width) - middleX, Math.floor(i / width) - middleY];
    const x = mirrored(middleX + cos * dx - sin * dy, width);
    const y = mirrored(middleY + sin * dx + cos * dy, height);
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [right, bottom] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)];
    const [toRight, down] = [x - left, y - top];
    pixels.set(
      [top * width + left, top * width + right, bottom * width + left, bottom * width + right],
      4 * i,
    );
    shares.set(
      [(1 - toRight) * (1 - down), toRight * (1 - down), (1 - toRight) * down, toRight * down],
      4 * i,
    );
  }
  return { pixels, shares };
}

/** A place beyond the outer edges of the first and last pixel, mirrored there; at most half a pixel from their centres. */
function mirrored(place: number, length: number): number {
  const beyond = Math.abs(place + 0.5);
  const rest = beyond % length;
  const inside = (Math.floor(beyond / length) % 2 === 0 ? rest : length - rest) - 0.5;
  return Math.min(Math.max(inside, 0), length - 1);
}
