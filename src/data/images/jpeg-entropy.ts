import { eachSegment, isStartOfFrame, START_OF_SCAN, scanStretches } from './jpeg-segments.js';

/**
 * Whether the bits of a JPEG are exactly those of its pixels. The Huffman codes are followed without computing a pixel:
 * in a damaged file they come to an end too early, or bits are left over. Only the usual kind of file is followed
 * (sequential Huffman coding in one scan, ITU-T T.81 annex F); others are decoded whole by libjpeg before libvips asks
 * for warnings, so that nothing of theirs is missed.
 */

interface Component {
  readonly id: number;
  /** Blocks across and down in a unit of all components together. */
  readonly across: number;
  readonly down: number;
}

/**
 * For every 16 bits that may come next: the code's symbol in the high byte; in the low one how many bits the code and
 * the value after it take, 0 where no code begins so.
 */
type Codes = Uint16Array;

/** @returns what is wrong, or null where nothing is or the file is of another kind */
export function entropyFault(bytes: Uint8Array): string | null {
  const tables = new Map<number, Uint8Array>();
  const frames: Frame[] = [];
  const scans: { readonly content: Uint8Array; readonly next: number; readonly interval: number }[] = [];
  let [interval, otherKind] = [0, false];
  eachSegment(bytes, (code, content, next) => {
    // tables that come after the scan are not its own
    if (code === 0xc4 && scans.length === 0) readTables(content, tables);
    else if (code === 0xdd) interval = (content[0] ?? 0) * 256 + (content[1] ?? 0);
    else if (code === 0xc0 || code === 0xc1) frames.push(readFrame(content));
    else if (isStartOfFrame(code)) otherKind = true;
    else if (code === START_OF_SCAN) scans.push({ content, next, interval });
  });
  const [frame] = frames;
  const [scan] = scans;
  const followed = !otherKind && frame !== undefined && frame.components.length === scan?.content[0];
  return followed
    ? scanFault(bytes, scan.next, scan.content, { ...frame, tables, interval: scan.interval })
    : null;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly Component[];
}

interface ScanPlan extends Frame {
  readonly tables: ReadonlyMap<number, Uint8Array>;
  /** Units between two restart markers; 0: none. */
  readonly interval: number;
}

function scanFault(bytes: Uint8Array, at: number, scan: Uint8Array, plan: ScanPlan): string | null {
  const { width, height, components, tables, interval } = plan;
  // a component alone comes in its own blocks, whatever its sampling says
  const alone = components.length === 1;
  const across = alone ? 1 : Math.max(...components.map((each) => each.across));
  const down = alone ? 1 : Math.max(...components.map((each) => each.down));
  const units = Math.ceil(width / (8 * across)) * Math.ceil(height / (8 * down));
  const built = new Map<number, Codes>();
  const codesNumbered = (number: number) => {
    const table = tables.get(number);
    const codes = built.get(number) ?? (table && codesOf(table));
    if (codes !== undefined) built.set(number, codes);
    return codes;
  };
  const blocks: [dc: Codes, ac: Codes][] = [];
  for (let i = 0; i < components.length; i++) {
    const component = components.find(({ id }) => id === scan[1 + 2 * i]);
    const choice = scan[2 + 2 * i] ?? 0;
    const [dc, ac] = [codesNumbered(choice >> 4), codesNumbered(16 + (choice & 15))];
    if (component === undefined || dc === undefined || ac === undefined) return 'a code table is missing';
    const count = alone ? 1 : component.across * component.down;
    for (let n = 0; n < count; n++) blocks.push([dc, ac]);
  }
  let done = 0;
  for (const [i, stretch] of scanStretches(bytes, at).entries()) {
    if (done >= units) return 'more pixels follow the last one';
    if (stretch.restart !== null && stretch.restart !== (i - 1) % 8)
      return 'restart markers are out of order';
    const count = interval === 0 ? units : Math.min(interval, units - done);
    const fault = stretchFault(bytes, stretch, count, blocks);
    if (fault !== null) return fault;
    done += count;
  }
  return done === units ? null : 'the data of its pixels end too early';
}

/**
 * Follows the codes of `units` times all `blocks` through one stretch of bytes. One long function on purpose: its
 * variables stay in registers, and it is as fast as the decoder that works beside it.
 */
function stretchFault(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  units: number,
  blocks: readonly (readonly [dc: Codes, ac: Codes])[],
): string | null {
  let at = start;
  let held = 0; // the next bits, in the low `count` ones
  let count = 0;
  let beyond = 0; // bits made up after the end
  for (let unit = 0; unit < units; unit++) {
    for (let block = 0; block < blocks.length; block++) {
      const [dc, ac] = blocks[block] as (typeof blocks)[number];
      let codes = dc;
      // value 0 of a block is coded in its own way, and always there
      for (let k = 0; k < 64; codes = ac) {
        while (count <= 16) {
          const byte = at < end ? (bytes[at] as number) : 0;
          if (at >= end) beyond += 8;
          at += at >= end ? 0 : byte === 0xff ? 2 : 1;
          held = ((held << 8) | byte) & 0xffffff;
          count += 8;
        }
        const entry = codes[(held >> (count - 16)) & 0xffff] as number;
        if ((entry & 0xff) === 0) return 'a code that there is not';
        count -= entry & 0xff;
        while (count < 0) {
          // a long code with a long value
          const byte = at < end ? (bytes[at] as number) : 0;
          if (at >= end) beyond += 8;
          at += at >= end ? 0 : byte === 0xff ? 2 : 1;
          held = ((held << 8) | byte) & 0xffffff;
          count += 8;
        }
        const symbol = entry >> 8;
        if (k === 0) k = 1;
        else if (symbol === 0xf0) k += 16;
        else if ((symbol & 15) === 0) break;
        else {
          k += (symbol >> 4) + 1;
          if (k > 64) return 'a block of more than 64 values';
        }
      }
    }
    if (beyond > count) return 'the data of its pixels end too early';
  }
  const left = end - at + ((count - beyond) >> 3);
  return left === 0 ? null : `${left} bytes are left over after its last pixel`;
}

function readFrame(content: Uint8Array): Frame {
  const number = (at: number) => (content[at] ?? 0) * 256 + (content[at + 1] ?? 0);
  const components = Array.from({ length: content[5] ?? 0 }, (_, i) => {
    const [id = 0, sampling = 0x11] = content.subarray(6 + 3 * i);
    return { id, across: sampling >> 4 || 1, down: sampling & 15 || 1 };
  });
  return { height: number(1), width: number(3), components };
}

/** Tables of a segment, by number; 16 and up for those of the values after a block's first. */
function readTables(content: Uint8Array, tables: Map<number, Uint8Array>): void {
  let at = 0;
  while (at + 17 <= content.length) {
    const symbols = content.subarray(at + 1, at + 17).reduce((sum, ofLength) => sum + ofLength, 0);
    tables.set(content[at] ?? 0, content.subarray(at + 1, at + 17 + symbols));
    at += 17 + symbols;
  }
}

/** @param table how many codes there are of each length from 1 to 16, then their symbols */
function codesOf(table: Uint8Array): Codes {
  const codes = new Uint16Array(65536);
  let [at, place] = [16, 0];
  for (let length = 1; length <= 16; length++) {
    const span = 2 ** (16 - length);
    for (let n = table[length - 1] ?? 0; n > 0; n--) {
      const symbol = table[at++] ?? 0;
      // the low half of a symbol says how many bits of value follow
      codes.fill((symbol << 8) | (length + (symbol & 15)), place, place + span);
      place += span;
    }
  }
  return codes;
}
