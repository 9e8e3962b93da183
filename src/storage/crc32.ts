import zlib from 'node:zlib';

/** zlib's, where node has it: since 20.15. */
const native: typeof zlib.crc32 | undefined = zlib.crc32;

/**
 * The checksum of zip and PNG. @param before of the bytes that stand before these, where a whole is read in pieces
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  // zlib takes no bytes for a new beginning
  if (bytes.length === 0) return before;
  return native ? native(bytes, before) : crc32ByTable(bytes, before);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** The same for older versions of node. */
export function crc32ByTable(bytes: Uint8Array, before = 0): number {
  let c = ~before;
  for (const byte of bytes) c = (TABLE[(c ^ byte) & 0xff] as number) ^ (c >>> 8);
  return ~c >>> 0;
}
