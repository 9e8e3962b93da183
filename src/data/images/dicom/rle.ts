/**
 * RLE of DICOM (PS3.5, annex G): the samples' bytes in planes, the most significant first, each packed by the PackBits
 * scheme: a count, then so many bytes as they are, or one byte to be repeated.
 */

const HEADER_BYTES = 64;

/**
 * @returns the samples as the file would have them uncompressed, little-endian; how many are whole, the rest being zero or
 * half there; and whether all is as it should be
 */
export function unpackRle(
  bytes: Uint8Array,
  samples: number,
  bytesEach: 1 | 2,
): { readonly raw: Uint8Array; readonly decoded: number; readonly sound: boolean } {
  const raw = new Uint8Array(samples * bytesEach);
  if (bytes.length < HEADER_BYTES) return { raw, decoded: 0, sound: false };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const planes = view.getUint32(0, true);
  let decoded = samples;
  for (let plane = 0; plane < bytesEach; plane++) {
    const begin = view.getUint32(4 + 4 * plane, true);
    const next = plane + 1 < bytesEach ? view.getUint32(8 + 4 * plane, true) : bytes.length;
    if (begin < HEADER_BYTES || next < begin || next > bytes.length) return { raw, decoded: 0, sound: false };
    const place = bytesEach - 1 - plane;
    decoded = Math.min(decoded, unpackPlane(bytes.subarray(begin, next), raw, place, bytesEach));
  }
  return { raw, decoded, sound: planes === bytesEach && decoded === samples };
}

/** @returns how many samples got their byte of this plane */
function unpackPlane(packed: Uint8Array, raw: Uint8Array, place: number, step: number): number {
  let to = place;
  let at = 0;
  while (to < raw.length && at < packed.length) {
    const control = packed[at++] ?? 128;
    if (control === 128) continue;
    const repeated = control > 128;
    const count = repeated ? 257 - control : control + 1;
    for (let i = 0; i < count && to < raw.length; i++) {
      const from = repeated ? at : at + i;
      if (from >= packed.length) return (to - place) / step;
      raw[to] = packed[from] ?? 0;
      to += step;
    }
    at += repeated ? 1 : count;
  }
  return (to - place) / step;
}
