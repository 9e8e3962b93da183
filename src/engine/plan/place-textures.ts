import type { TextureFormat } from '../graph/tensor.js';
import { TEXEL_BYTES } from '../run/commands.js';

/**
 * The plan of scratch textures: needs at different times share a texture.
 *
 * A texture serves only needs of its own format and width. The width is the stride of the rows, which decides how they fall
 * into the caches. A taller texture serves as well, so the tallest needs are placed first.
 */
export interface TextureSize {
  /** In texels. */
  readonly width: number;
  readonly height: number;
  readonly format: TextureFormat;
}

export interface TextureNeed extends TextureSize {
  /** The first and the last step that use it. */
  readonly from: number;
  readonly to: number;
}

export interface TexturePlan {
  /** For each need its texture. */
  readonly places: readonly number[];
  readonly sizes: readonly TextureSize[];
}

export function placeTextures(needs: readonly TextureNeed[]): TexturePlan {
  const places = needs.map(() => -1);
  const textures: { size: TextureSize; users: TextureNeed[] }[] = [];
  const order = needs.map((need, index) => ({ need, index })).sort((a, b) => b.need.height - a.need.height);
  for (const { need, index } of order) {
    const { width, height, format, from, to } = need;
    let place = textures.findIndex(
      ({ size, users }) =>
        size.width === width &&
        size.format === format &&
        users.every((other) => other.to < from || to < other.from),
    );
    if (place < 0) place = textures.push({ size: { width, height, format }, users: [] }) - 1;
    textures[place]?.users.push(need);
    places[index] = place;
  }
  return { places, sizes: textures.map(({ size }) => size) };
}

export function textureBytes({ width, height, format }: TextureSize): number {
  return width * height * TEXEL_BYTES[format];
}
