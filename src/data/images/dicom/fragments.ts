import { cutShort, damaged, type ImageDamage } from '../image-decoder.js';

/**
 * Compressed pixels come in pieces (PS3.5, A.4): items of a tag and a length, the first of which is a table of offsets
 * to frames, then a delimiter. Of a single frame, all pieces together are its code stream.
 */

/** What stands between the table of offsets and the delimiter, and what is wrong with it. */
export interface CodeStream {
  readonly bytes: Uint8Array;
  readonly flaw: ImageDamage | null;
}

const ITEM = 0xfffee000;
const DELIMITER = 0xfffee0dd;

/** @param start of the first item. All these transfer syntaxes are little-endian. @throws ImageDamage */
export function joinFragments(file: Uint8Array, start: number): CodeStream {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const [items, flaw] = walk(file, view, start, () => {});
  if (items.count < 2) throw flaw ?? damaged('DICOM file', 'it has no compressed pixels');
  if (items.count === 2) return { bytes: file.subarray(items.begin, items.begin + items.bytes), flaw };
  const bytes = new Uint8Array(items.bytes);
  let at = 0;
  walk(file, view, start, (begin, end) => {
    bytes.set(file.subarray(begin, end), at);
    at += end - begin;
  });
  return { bytes, flaw };
}

/** Calls back for each piece after the table of offsets; keeps none, because there can be millions of empty ones. */
function walk(
  file: Uint8Array,
  view: DataView,
  start: number,
  visit: (begin: number, end: number) => void,
): [items: { count: number; begin: number; bytes: number }, flaw: ImageDamage | null] {
  const items = { count: 0, begin: 0, bytes: 0 };
  let at = start;
  while (at + 8 <= file.length) {
    const tag = view.getUint16(at, true) * 0x10000 + view.getUint16(at + 2, true);
    const length = view.getUint32(at + 4, true);
    if (tag === DELIMITER) return [items, null];
    if (tag !== ITEM || length === 0xffffffff) {
      return [
        items,
        damaged('DICOM file', `at byte ${at} there is no piece of its pixels where one should begin`),
      ];
    }
    const [begin, end] = [at + 8, Math.min(at + 8 + length, file.length)];
    if (items.count > 0) {
      if (items.count === 1) items.begin = begin;
      items.bytes += end - begin;
      visit(begin, end);
    }
    items.count++;
    at = begin + length;
  }
  return [items, cutShort('DICOM file', file)];
}
