/** The outer structure of a JPEG: segments of a code and a content, and after a start of scan the pixels' bits. */

const END_OF_IMAGE = 0xd9;
export const START_OF_SCAN = 0xda;

/** Start of frame, whatever the coding; 0xC4, 0xC8 and 0xCC are other segments. */
export function isStartOfFrame(code: number): boolean {
  return code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc;
}

/**
 * Calls back for every segment.
 * @param visit gets its code, its content, and the place of the byte after it
 * @returns whether the file came to its end marker
 */
export function eachSegment(
  bytes: Uint8Array,
  visit: (code: number, content: Uint8Array, next: number) => void,
): 'end' | 'cut' {
  let at = 2;
  for (;;) {
    at = bytes.indexOf(0xff, at);
    const code = at < 0 ? undefined : bytes[at + 1];
    if (code === undefined) return 'cut';
    if (code === END_OF_IMAGE) return 'end';
    if (code === 0xff) {
      at++; // padding
    } else if (code < 0x02 || isRestart(code) || code === 0xd8) {
      at += 2; // a 0xFF among the pixels' bits, or a marker without content
    } else {
      const next = at + 2 + (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0);
      if (at + 4 > bytes.length || next > bytes.length) return 'cut';
      visit(code, bytes.subarray(at + 4, next), next);
      at = Math.max(next, at + 4);
    }
  }
}

/** The pixels' bits of a scan that begin at `at`: stretches between restart markers, each with that marker's number. */
export function scanStretches(
  bytes: Uint8Array,
  at: number,
): { readonly start: number; readonly end: number; readonly restart: number | null }[] {
  const stretches: { start: number; end: number; restart: number | null }[] = [];
  let [start, restart, from]: [number, number | null, number] = [at, null, at];
  for (;;) {
    const found = bytes.indexOf(0xff, from);
    const end = found < 0 ? bytes.length : found;
    const code = bytes[end + 1] ?? END_OF_IMAGE;
    if (code === 0) {
      from = end + 2; // a 0xFF among the bits
      continue;
    }
    // a marker may be padded with more 0xFF before it
    let marker = end + 1;
    while (bytes[marker] === 0xff) marker++;
    stretches.push({ start, end, restart });
    const next = bytes[marker] ?? END_OF_IMAGE;
    if (!isRestart(next)) return stretches;
    [start, restart, from] = [marker + 1, next & 7, marker + 1];
  }
}

function isRestart(code: number): boolean {
  return code >= 0xd0 && code <= 0xd7;
}
