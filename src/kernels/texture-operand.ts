import { TEXEL_BYTES } from '../engine/commands.js';
import type {
  DeviceTraits,
  KernelStep,
  Operand,
  Scratch,
  TensorSpec,
  TextureFormat,
} from '../engine/tensor.js';
import { flatStep } from './grid.js';
import { storageType } from './storage-type.js';

/**
 * Operands in storage textures. On software adapters a storage-texture load is about twice as fast as a buffer load
 * (the driver fetches all lanes in one go instead of one by one), so kernels that read an operand many times have it
 * copied to a texture first; the copy runs at memory speed. Texels are four values in the operand's own precision; a load
 * gives f32 in either.
 */
export interface LinearTexture {
  /** Texels a row (a power of two: texel i lies at `(i & (width − 1), i >> log2(width))`) and rows. */
  readonly width: number;
  readonly height: number;
}

/** What is kept of an operand decides about its texture. */
export type Stored = Pick<TensorSpec, 'dtype'>;

export function formatOf({ dtype }: Stored): TextureFormat {
  return dtype === 'f16' ? 'rgba16float' : 'rgba32float';
}

export function texelBytes(stored: Stored): number {
  return TEXEL_BYTES[formatOf(stored)];
}

/** Texels that a row of a copy must be a multiple of: copies work in rows of 256 bytes. */
export function rowTexelsOf(stored: Stored): number {
  return 256 / texelBytes(stored);
}

/** Rows that are a multiple of so many bytes apart share a set of a first-level cache. */
export const ALIAS_BYTES = 4096;

/** A dense array of texels, folded into rows; undefined where it is too large for a texture. */
export function linearTexture(
  texels: number,
  stored: Stored,
  traits: DeviceTraits,
): LinearTexture | undefined {
  let width = rowTexelsOf(stored);
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

/**
 * Texels a pixel, texels a row (with the filling that copies ask for, and off the strides at which caches alias), rows;
 * undefined where no texture holds it.
 */
export function imageTexture(
  image: PaddedImage,
  stored: Stored,
  traits: DeviceTraits,
): { texels: number; width: number; height: number; dense: boolean } | undefined {
  const texels = Math.ceil(image.c / 4);
  const row = rowTexelsOf(stored);
  const filled = Math.ceil((image.paddedW * texels) / row) * row;
  const height = image.n * image.paddedH;
  const aliased = (filled * texelBytes(stored)) % ALIAS_BYTES === 0 && filled + row <= traits.maxTextureSide;
  const width = aliased ? filled + row : filled;
  if (width > traits.maxTextureSide || height > traits.maxTextureSide) return undefined;
  const dense =
    image.c % 4 === 0 &&
    image.top === 0 &&
    image.left === 0 &&
    image.paddedH === image.h &&
    image.paddedW === image.w &&
    filled === image.w * texels;
  return { texels, width, height, dense };
}

/** Writes the padded image into a scratch buffer, row by row as the texture wants it. */
export function padImage(
  image: PaddedImage,
  stored: Stored,
  source: Operand,
  target: Operand,
  traits: DeviceTraits,
): KernelStep {
  const texture = imageTexture(image, stored, traits);
  if (!texture) throw new RangeError('padImage: the image does not fit a texture');
  const { texels, width, height } = texture;
  const { h, w, c, top, left, paddedH, paddedW } = image;
  const vector = c % 4 === 0;
  const texel = storageType(stored, 4);
  // Texels of one lane: all of one pixel, so that their place is worked out once.
  const each = vector && texels % 4 === 0 ? 4 : 1;
  const pixel = `((n * ${h}u + u32(y)) * ${w}u + u32(x))`;
  const load = (k: number) =>
    vector
      ? `source[base + ${k}u]`
      : `${texel}(${[0, 1, 2, 3].map((j) => `channel(base, t * 4u + ${j}u)`).join(', ')})`;
  const one = storageType(stored, 1);
  const channel = `fn channel(base: u32, c: u32) -> ${one} { if (c < ${c}u) { return source[base + c]; } return ${one}(); }`;
  const ks = Array.from({ length: each }, (_, k) => k);
  return flatStep(
    {
      count: (width * height) / each,
      bindings: [
        { name: 'source', operand: source, access: 'read', type: vector ? texel : one },
        { name: 'padded', operand: target, access: 'read_write', type: texel },
      ],
      ...(!vector && { declarations: channel }),
      body: `let column = id % ${width / each}u * ${each}u;
  let row = id / ${width / each}u;
  let t = column % ${texels}u;
  let x = i32(column / ${texels}u) - ${left};
  let y = i32(row % ${paddedH}u) - ${top};
  let n = row / ${paddedH}u;
  let to = id * ${each}u;
  if (x >= 0 && x < ${Math.min(w, paddedW - left)} && y >= 0 && y < ${h}) {
    let base = ${pixel} * ${vector ? texels : c}u${vector ? ' + t' : ''};
    ${ks.map((k) => `padded[to + ${k}u] = ${load(k)};`).join(' ')}
  } else {
    ${ks.map((k) => `padded[to + ${k}u] = ${texel}();`).join(' ')}
  }`,
    },
    traits,
  );
}

/** Brings an image into a texture: straight from its buffer where it lies densely already, else padded on the way. */
export function stageImage(
  image: PaddedImage,
  stored: Stored,
  source: Operand,
  traits: DeviceTraits,
  addScratch: (need: Scratch) => number,
  steps: KernelStep[],
): { texture: number; texels: number } {
  const layout = imageTexture(image, stored, traits);
  if (!layout) throw new RangeError('stageImage: the image does not fit a texture');
  const { width, height, texels, dense } = layout;
  const texture = addScratch({ kind: 'texture', width, height, format: formatOf(stored) });
  if (dense) {
    const pitch = image.w * texels;
    const box = { offset: 0, pitch, x: 0, y: 0, width: pitch, height };
    steps.push({ kind: 'texture-copy', from: source, to: texture, box });
  } else {
    const padded: Operand = {
      kind: 'scratch',
      index: addScratch({ kind: 'buffer', bytes: width * height * texelBytes(stored) }),
    };
    steps.push(padImage(image, stored, source, padded, traits));
    steps.push({ kind: 'texture-copy', from: padded, to: texture });
  }
  return { texture, texels };
}
