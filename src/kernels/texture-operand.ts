import type { DeviceTraits, KernelStep, Operand, Scratch } from '../engine/tensor.js';
import { flatStep } from './grid.js';

/**
 * Operands in storage textures. On software adapters a storage-texture load is about twice as fast as a buffer load
 * (the driver fetches all lanes in one go instead of one by one), so kernels that read an operand many times have it
 * copied to a texture first; the copy runs at memory speed. Texels are four floats.
 */
export interface LinearTexture {
  /** Texels a row (a power of two: texel i lies at `(i & (width − 1), i >> log2(width))`) and rows. */
  readonly width: number;
  readonly height: number;
}

/** Copies work in rows of 256 bytes. */
const ROW_TEXELS = 16;

/** A dense array of texels, folded into rows; undefined where it is too large for a texture. */
export function linearTexture(texels: number, traits: DeviceTraits): LinearTexture | undefined {
  let width = ROW_TEXELS;
  while (Math.ceil(texels / width) > traits.maxTextureSide) width *= 2;
  if (width > traits.maxTextureSide) return undefined;
  return { width, height: Math.ceil(texels / width) };
}

/** An image [n, h, w, c] with a border of zeros (or cropped, where negative) and channels rounded up to texels. */
export interface PaddedImage {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly top: number;
  readonly left: number;
  readonly paddedH: number;
  readonly paddedW: number;
}

/** Texels a pixel, texels a row (with the filling that copies ask for), rows; undefined where no texture holds it. */
export function imageTexture(
  image: PaddedImage,
  traits: DeviceTraits,
): { texels: number; width: number; height: number; dense: boolean } | undefined {
  const texels = Math.ceil(image.c / 4);
  const width = Math.ceil((image.paddedW * texels) / ROW_TEXELS) * ROW_TEXELS;
  const height = image.n * image.paddedH;
  if (width > traits.maxTextureSide || height > traits.maxTextureSide) return undefined;
  const dense =
    image.c % 4 === 0 &&
    image.top === 0 &&
    image.left === 0 &&
    image.paddedH === image.h &&
    image.paddedW === image.w &&
    width === image.w * texels;
  return { texels, width, height, dense };
}

/** Writes the padded image into a scratch buffer, row by row as the texture wants it. */
export function padImage(
  image: PaddedImage,
  source: Operand,
  target: Operand,
  traits: DeviceTraits,
): KernelStep {
  const texture = imageTexture(image, traits);
  if (!texture) throw new RangeError('padImage: the image does not fit a texture');
  const { texels, width, height } = texture;
  const { h, w, c, top, left, paddedH, paddedW } = image;
  const count = width * height;
  const vector = c % 4 === 0;
  const pixel = `((n * ${h}u + u32(y)) * ${w}u + u32(x))`;
  const load = vector
    ? `source[${pixel} * ${texels}u + t]`
    : `vec4f(${[0, 1, 2, 3].map((j) => `channel(${pixel} * ${c}u, t * 4u + ${j}u)`).join(', ')})`;
  const channel = `fn channel(base: u32, c: u32) -> f32 { if (c < ${c}u) { return source[base + c]; } return 0.0; }`;
  return flatStep(
    {
      count,
      bindings: [
        { name: 'source', operand: source, access: 'read', type: vector ? 'vec4f' : 'f32' },
        { name: 'padded', operand: target, access: 'read_write', type: 'vec4f' },
      ],
      ...(!vector && { declarations: channel }),
      body: `let column = id % ${width}u;
  let row = id / ${width}u;
  let t = column % ${texels}u;
  let x = i32(column / ${texels}u) - ${left};
  let y = i32(row % ${paddedH}u) - ${top};
  let n = row / ${paddedH}u;
  var texel = vec4f();
  if (x >= 0 && x < ${Math.min(w, paddedW - left)} && y >= 0 && y < ${h}) { texel = ${load}; }
  padded[id] = texel;`,
    },
    traits,
  );
}

/** Brings an image into a texture: straight from its buffer where it lies densely already, else padded on the way. */
export function stageImage(
  image: PaddedImage,
  source: Operand,
  traits: DeviceTraits,
  addScratch: (need: Scratch) => number,
  steps: KernelStep[],
): { texture: number; texels: number } {
  const layout = imageTexture(image, traits);
  if (!layout) throw new RangeError('stageImage: the image does not fit a texture');
  const { width, height, texels, dense } = layout;
  let from = source;
  if (!dense) {
    from = { kind: 'scratch', index: addScratch({ kind: 'buffer', bytes: width * height * 16 }) };
    steps.push(padImage(image, source, from, traits));
  }
  const texture = addScratch({ kind: 'texture', width, height });
  steps.push({ kind: 'texture-copy', from, to: texture });
  return { texture, texels };
}
