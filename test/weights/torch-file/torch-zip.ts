import type { SafetensorsDtype } from '../../../src/models/safetensors/safetensors-dtypes.js';
import { crc32 } from '../../../src/storage/crc32.js';

/** Builds zip archives and pickles byte by byte, so that each can lie where a test wants it to. */

export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array;
  /** What the directory claims, where that differs from the truth. */
  readonly claims?: {
    readonly method?: number;
    readonly flags?: number;
    readonly crc?: number;
    readonly size?: number;
    readonly packed?: number;
    readonly offset?: number;
    readonly disk?: number;
    /** Sizes and place in an extra field of zip64, instead of the 32-bit ones. */
    readonly zip64?: { readonly size: bigint; readonly packed: bigint; readonly offset?: bigint };
  };
}

export interface ZipEnd {
  readonly count?: number;
  readonly disk?: number;
  readonly directory?: number;
  readonly zip64?: { readonly count?: bigint; readonly directory?: bigint; readonly record?: bigint };
}

export function zipOf(entries: readonly ZipEntry[], end: ZipEnd = {}): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  const add = (part: Buffer) => {
    parts.push(part);
    position += part.length;
  };
  for (const { name, data, claims = {} } of entries) {
    const text = Buffer.from(name);
    const sum = claims.crc ?? crc32(data);
    const offset = position;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(text.length, 26);
    add(Buffer.concat([local, text, data]));
    const { zip64 } = claims;
    const extra = zip64
      ? uint64s([zip64.size, zip64.packed, ...(zip64.offset === undefined ? [] : [zip64.offset])])
      : [];
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50, 0);
    header.writeUInt16LE(claims.flags ?? 0, 8);
    header.writeUInt16LE(claims.method ?? 0, 10);
    header.writeUInt32LE(sum, 16);
    header.writeUInt32LE(zip64 ? 0xffffffff : (claims.packed ?? claims.size ?? data.length), 20);
    header.writeUInt32LE(zip64 ? 0xffffffff : (claims.size ?? data.length), 24);
    header.writeUInt16LE(text.length, 28);
    header.writeUInt16LE(zip64 ? 4 + extra.length : 0, 30);
    header.writeUInt32LE(zip64?.offset === undefined ? (claims.offset ?? offset) : 0xffffffff, 42);
    const field = Buffer.alloc(4);
    field.writeUInt16LE(1, 0);
    field.writeUInt16LE(extra.length, 2);
    directory.push(header, text, ...(zip64 ? [field, Buffer.from(extra)] : []));
  }
  const begin = position;
  for (const part of directory) add(part);
  if (end.zip64) {
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(end.zip64.count ?? BigInt(entries.length), 32);
    record.writeBigUInt64LE(end.zip64.directory ?? BigInt(begin), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(end.zip64.record ?? BigInt(position), 8);
    add(Buffer.concat([record, locator]));
  }
  const tail = Buffer.alloc(22);
  tail.writeUInt32LE(0x06054b50, 0);
  tail.writeUInt16LE(end.disk ?? 0, 4);
  tail.writeUInt16LE(end.count ?? entries.length, 10);
  tail.writeUInt32LE(end.directory ?? begin, 16);
  add(tail);
  return new Uint8Array(Buffer.concat(parts));
}

/** The archive that torch.save would write of a pickle and its storages. */
export function torchZip(
  pickle: readonly number[] | Uint8Array,
  storages: Record<string, Uint8Array> = {},
): Uint8Array {
  return zipOf(torchEntries(pickle, storages));
}

export function torchEntries(
  pickle: readonly number[] | Uint8Array,
  storages: Record<string, Uint8Array> = {},
): ZipEntry[] {
  return [
    { name: 'w/data.pkl', data: Uint8Array.from(pickle) },
    ...Object.entries(storages).map(([key, data]) => ({ name: `w/data/${key}`, data })),
    { name: 'w/version', data: ascii('3\n') },
  ];
}

function uint64s(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(value, 8 * i);
  return bytes;
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

// Pickles: each function gives the instructions that leave one value on the stack.

export type Code = readonly number[];

export const NONE: Code = [0x4e];
export const TRUE: Code = [0x88];
export const FALSE: Code = [0x89];
export const STOP = 0x2e;
export const MARK = 0x28;
export const REDUCE = 0x52;
export const BUILD = 0x62;

export const program = (...code: Code[]): number[] => [0x80, 2, ...code.flat(), STOP];

export const int = (value: number): Code => [0x4a, ...little(BigInt(value), 4)];

export const long = (value: bigint, bytes = 8): Code => [0x8a, bytes, ...little(value, bytes)];

export const size = (value: number): Code => (Math.abs(value) < 2 ** 31 ? int(value) : long(BigInt(value)));

export const text = (value: string): Code => {
  const bytes = Buffer.from(value);
  return [0x58, ...little(BigInt(bytes.length), 4), ...bytes];
};

export const global = (module: string, name: string): Code => [0x63, ...Buffer.from(`${module}\n${name}\n`)];

export const tuple = (...items: Code[]): Code => [MARK, ...items.flat(), 0x74];

export const list = (...items: Code[]): Code => [0x5d, MARK, ...items.flat(), 0x65];

export const dict = (entries: readonly (readonly [string, Code])[]): Code => [
  0x7d,
  MARK,
  ...entries.flatMap(([key, value]) => [...text(key), ...value]),
  0x75,
];

export const call = (callee: Code, ...args: Code[]): Code => [...callee, ...tuple(...args), REDUCE];

export const orderedDict: Code = call(global('collections', 'OrderedDict'));

const STORAGE_TYPES: Partial<Record<SafetensorsDtype, string>> = {
  F32: 'FloatStorage',
  F64: 'DoubleStorage',
  I64: 'LongStorage',
  U8: 'ByteStorage',
};

export const storage = (key: string, count: number, dtype: SafetensorsDtype = 'F32'): Code => [
  ...tuple(text('storage'), global('torch', STORAGE_TYPES[dtype] ?? ''), text(key), text('cpu'), size(count)),
  0x51,
];

export interface View {
  readonly storage?: Code;
  readonly offset?: Code;
  readonly shape: readonly (number | Code)[];
  readonly strides: readonly (number | Code)[];
  readonly hooks?: Code;
  readonly metadata?: Code;
}

const sizes = (values: View['shape']): Code =>
  tuple(...values.map((value) => (typeof value === 'number' ? size(value) : value)));

export const tensor = (view: View): Code =>
  call(
    global('torch._utils', '_rebuild_tensor_v2'),
    view.storage ?? storage('0', 4),
    view.offset ?? int(0),
    sizes(view.shape),
    sizes(view.strides),
    FALSE,
    view.hooks ?? orderedDict,
    ...(view.metadata ? [view.metadata] : []),
  );

/** Two's complement. */
function little(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
