import type {
  DeviceTraits,
  KernelStep,
  Operand,
  Scratch,
  TensorSpec,
  TextureFormat,
} from '../../engine/graph/tensor.js';
import { TEXEL_BYTES } from '../../engine/run/commands.js';
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

/** The storage type of an operand decides about its texture. */
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

/** How an image lies in a texture: a row of it a row, one image below the other. */
export interface ImageTexture {
  /** Of a pixel. */
  readonly texels: number;
  readonly width: number;
  readonly height: number;
  /**
   * Whether its border lies in the texture too. Else the image lies there as it does in its buffer, and kernels take every
   * texel beyond its ends as zero.
   */
  readonly bordered: boolean;
}

/** Texels of a pixel from which on kernels walk pixel by pixel anyway, and ask at each whether it is one. */
const WIDE_PIXEL = 8;

/** @returns undefined where no texture holds the image */
export function imageTexture(
  image: PaddedImage,
  stored: Stored,
  traits: DeviceTraits,
): ImageTexture | undefined {
  const texels = Math.ceil(image.c / 4);
  const copied = image.c % 4 === 0 && (image.w * texels) % rowTexelsOf(stored) === 0;
  const dense =
    copied && (texels >= WIDE_PIXEL || isWhole(image))
      ? textureOf(image.w * texels, image.n * image.h, stored, traits)
      : undefined;
  if (dense) return { texels, ...dense, bordered: false };
  const bordered = textureOf(image.paddedW * texels, image.n * image.paddedH, stored, traits);
  return bordered && { texels, ...bordered, bordered: true };
}

/** Neither with a border nor cropped. */
function isWhole({ h, w, top, left, paddedH, paddedW }: PaddedImage): boolean {
  return top === 0 && left === 0 && paddedH === h && paddedW === w;
}

/** With the filling that copies ask for, and off the strides at which caches alias. */
function textureOf(
  rowTexels: number,
  height: number,
  stored: Stored,
  { maxTextureSide }: DeviceTraits,
): { width: number; height: number } | undefined {
  const row = rowTexelsOf(stored);
  const filled = Math.ceil(rowTexels / row) * row;
  const aliased = (filled * texelBytes(stored)) % ALIAS_BYTES === 0 && filled + row <= maxTextureSide;
  const width = aliased ? filled + row : filled;
  return width > maxTextureSide || height > maxTextureSide ? undefined : { width, height };
}

/** Writes the padded image into a scratch buffer, row by row as the texture wants it. */
function padImage(
  image: PaddedImage,
  { texels, width, height }: ImageTexture,
  stored: Stored,
  source: Operand,
  target: Operand,
  traits: DeviceTraits,
): KernelStep {
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

/** An image in a scratch texture. */
export interface StagedImage {
  /** Number of the scratch texture. */
  readonly texture: number;
  /** Of a pixel. */
  readonly texels: number;
  /** Pixels side by side may be read as one run of texels, since no border is missing between them. */
  readonly runs: boolean;
  /** Where the padded image's first pixel is; texels and rows from the first that lies in the texture. */
  readonly originX: number;
  readonly originY: number;
  /** `imageTexels`, `imageRows`: of one image. A kernel reads every texel beyond them as zero. */
  readonly dims: Readonly<Record<'imageTexels' | 'imageRows', number>>;
}

/** Brings an image into a texture: straight from its buffer, or with its border around it. */
export function stageImage(
  image: PaddedImage,
  stored: Stored,
  source: Operand,
  traits: DeviceTraits,
  addScratch: (need: Scratch) => number,
  steps: KernelStep[],
): StagedImage {
  const layout = imageTexture(image, stored, traits);
  if (!layout) throw new RangeError('stageImage: the image does not fit a texture');
  const { width, height, texels, bordered } = layout;
  const texture = addScratch({ kind: 'texture', width, height, format: formatOf(stored) });
  if (!bordered) {
    const pitch = image.w * texels;
    const box = { offset: 0, pitch, x: 0, y: 0, width: pitch, height };
    steps.push({ kind: 'texture-copy', from: source, to: texture, box });
    return {
      texture,
      texels,
      runs: isWhole(image),
      originX: -image.left * texels,
      originY: -image.top,
      dims: { imageTexels: pitch, imageRows: image.h },
    };
  }
  const bytes = width * height * texelBytes(stored);
  const padded: Operand = { kind: 'scratch', index: addScratch({ kind: 'buffer', bytes }) };
  steps.push(padImage(image, layout, stored, source, padded, traits));
  steps.push({ kind: 'texture-copy', from: padded, to: texture });
  const dims = { imageTexels: image.paddedW * texels, imageRows: image.paddedH };
  return { texture, texels, runs: true, originX: 0, originY: 0, dims };
}
