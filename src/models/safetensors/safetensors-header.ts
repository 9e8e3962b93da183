import { TailrayError } from '../../engine/errors.js';
import { shorten } from '../../text/shorten.js';
import { elementArrays, SAFETENSORS_DTYPES, type SafetensorsDtype } from './safetensors-dtypes.js';

/**
 * Reads and checks the header of a safetensors file before a byte of data is touched. Files come from the network, so
 * nothing in them is believed: the checks are those of the reference implementation (huggingface/safetensors), which
 * leave no room for hidden bytes, overlaps or two readings of one file.
 */

/** The file is not what it claims to be, or a tensor cannot be written; names the tensor and the byte offsets. */
export class SafetensorsError extends TailrayError {}

/** What the header says of one tensor, checked. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** First byte and end of its data, counted from the start of the file. */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference implementation's limit on the header. */
export const MAX_HEADER_BYTES = 100_000_000;

/** The name that the format reserves for its text pairs. */
export const METADATA_KEY = '__metadata__';

/**
 * @param bytes the whole file
 * @throws SafetensorsError
 */
export function readHeader(bytes: Uint8Array): SafetensorsHeader {
  const dataStart = 8 + headerLength(bytes);
  const fields = parseObject(bytes.subarray(8, dataStart));
  const entries: TensorEntry[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === METADATA_KEY) metadata = checkMetadata(value);
    else entries.push(checkEntry(name, value, dataStart));
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  checkCoverage(entries, dataStart, bytes.length);
  return { entries, metadata };
}

function headerLength(bytes: Uint8Array): number {
  if (bytes.length < 8) {
    throw new SafetensorsError(
      `the file has ${bytes.length} bytes: a safetensors file begins with 8 bytes that give its header's length.`,
    );
  }
  const claimed = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (claimed > MAX_HEADER_BYTES) {
    throw new SafetensorsError(
      `the header claims ${claimed} bytes, more than the format's limit of ${MAX_HEADER_BYTES}: this is not a ` +
        'safetensors file, or it is damaged.',
    );
  }
  const length = Number(claimed);
  if (8 + length > bytes.length) {
    throw new SafetensorsError(
      `the header claims bytes 8 to ${8 + length}, but the file ends at ${bytes.length}: it was cut short.`,
    );
  }
  return length;
}

function parseObject(bytes: Uint8Array): object {
  if (bytes[0] !== 0x7b)
    throw new SafetensorsError('the header does not begin with "{": not a safetensors file.');
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? cause.message : 'it is not UTF-8 text';
    throw new SafetensorsError(`the header is not valid JSON (${reason}): the file is damaged.`, { cause });
  }
  if (!isObject(value))
    throw new SafetensorsError('the header is not a JSON object: not a safetensors file.');
  const repeated = repeatedKey(text);
  if (repeated !== null) {
    throw new SafetensorsError(
      `the header has ${quote(repeated)} twice in one object: which one is meant is unclear.`,
    );
  }
  return value;
}

/**
 * The first key that occurs twice in one object of a valid JSON text, or null. JSON.parse keeps the last and says
 * nothing, so two programs could read different tensors from the same file.
 */
function repeatedKey(text: string): string | null {
  /** Keys of each object that is open, null for each array. */
  const open: (Set<string> | null)[] = [];
  let atKey = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : null);
      atKey = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      atKey = false;
    } else if (char === ',') {
      atKey = open.at(-1) !== null;
    } else if (char === '"') {
      const begin = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      const keys = open.at(-1);
      if (!atKey || !keys) continue;
      atKey = false;
      const key = JSON.parse(text.slice(begin, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

function checkMetadata(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) throw new SafetensorsError(`${quote(METADATA_KEY)} is not an object of texts.`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new SafetensorsError(`${quote(METADATA_KEY)} has ${quote(key)}, which is not a text.`);
    }
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataStart: number): TensorEntry {
  const tensor = `tensor ${quote(name)}`;
  if (!isObject(value))
    throw new SafetensorsError(`${tensor} is described by something that is not an object.`);
  const { dtype, shape, data_offsets: offsets } = value as Partial<Record<string, unknown>>;
  if (!isDtype(dtype)) {
    throw new SafetensorsError(
      `${tensor} has dtype ${quote(dtype)}: readable are ${SAFETENSORS_DTYPES.join(', ')}.`,
    );
  }
  if (!isSizes(shape)) {
    throw new SafetensorsError(`${tensor} has shape ${quote(shape)}: expected a list of sizes.`);
  }
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw new SafetensorsError(
      `${tensor} has data_offsets ${quote(offsets)}: expected [begin, end] in bytes.`,
    );
  }
  const [begin, end] = offsets as [number, number];
  const byteLength = countBytes(dtype, shape);
  if (byteLength === null) {
    throw new SafetensorsError(
      `${tensor} has shape [${quoteSizes(shape)}], more elements than can be counted.`,
    );
  }
  if (end - begin !== byteLength) {
    throw new SafetensorsError(
      `${tensor} (${dtype} [${quoteSizes(shape)}]) needs ${byteLength} bytes, but its data_offsets ` +
        `[${begin}, ${end}] give ${end - begin}.`,
    );
  }
  return { name, dtype, shape, start: dataStart + begin, end: dataStart + end };
}

/** Tensors must lie end to end and fill the rest of the file: no holes, no overlaps, nothing hidden behind the last. */
function checkCoverage(entries: readonly TensorEntry[], dataStart: number, fileEnd: number): void {
  let covered = dataStart;
  for (const { name, start, end } of entries) {
    if (end > fileEnd) {
      throw new SafetensorsError(
        `tensor ${quote(name)} lies at bytes ${start} to ${end}, but the file ends at ${fileEnd}: it was cut short.`,
      );
    }
    if (start !== covered) {
      const problem = start < covered ? 'overlaps the tensor before it, which ends' : 'leaves a hole after';
      throw new SafetensorsError(
        `tensor ${quote(name)} begins at byte ${start} and ${problem} at byte ${covered}.`,
      );
    }
    covered = end;
  }
  if (covered !== fileEnd) {
    throw new SafetensorsError(
      `the tensors end at byte ${covered}, but the file goes on to ${fileEnd}: it holds bytes of no tensor.`,
    );
  }
}

/** Bytes of a tensor, or null beyond what a number counts exactly. */
export function countBytes(dtype: SafetensorsDtype, shape: readonly number[]): number | null {
  let count = elementArrays[dtype].BYTES_PER_ELEMENT;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) return null;
  }
  return count;
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return (SAFETENSORS_DTYPES as readonly unknown[]).includes(value);
}

/** Whether a value is a list of integers that can be sizes or offsets. */
export function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Characters of a quoted value. */
const LONGEST = 200;

/** Any value as short text for a message. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) return `[${shorten(value.slice(0, 100).map(quoteScalar).join(', '), LONGEST)}]`;
  return shorten(quoteScalar(value), LONGEST);
}

/** Nested values are not spelt out: a hostile file may nest them deeper than JSON.stringify can follow. */
function quoteScalar(value: unknown): string {
  return typeof value === 'object' && value !== null ? '{…}' : (JSON.stringify(value) ?? 'missing');
}

function quoteSizes(sizes: readonly number[]): string {
  return shorten(sizes.join(', '), LONGEST);
}
