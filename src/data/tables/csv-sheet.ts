import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { TailrayError } from '../../engine/errors.js';
import { RegularFileError, readRegularFile } from '../../storage/regular-file.js';

/**
 * From a file on disk to rectangular text: the part of reading a table that knows nothing of X-rays. Everything that
 * spreadsheets do to a CSV on its way here (byte order marks, CRLF, quoted commas and line breaks, semicolons,
 * gzip) ends in this file, and whatever is not a table is refused here with the line it broke at.
 */

/** A table that cannot be used; the fields repeat what the message says, for programs. */
export class TableError extends TailrayError {
  readonly path: string;
  /** 1-based line of the file, the header being line 1. */
  readonly line: number | undefined;
  readonly column: string | undefined;
  readonly value: string | undefined;

  constructor(message: string, where: TablePlace, options?: ErrorOptions) {
    const place = [where.path];
    if (where.line !== undefined) place.push(`line ${where.line}`);
    if (where.column !== undefined) place.push(`column "${where.column}"`);
    super(`${place.join(', ')}: ${message}`, options);
    this.path = where.path;
    this.line = where.line;
    this.column = where.column;
    this.value = where.value;
  }
}

export interface TablePlace {
  path: string;
  line?: number;
  column?: string;
  value?: string;
}

/** A header and records of exactly its width. */
export interface Sheet {
  readonly path: string;
  /** Column names, trimmed; unnamed columns are '' and may occur more than once. */
  readonly header: readonly string[];
  readonly records: readonly (readonly string[])[];
  /** 1-based line on which each record starts. */
  readonly lines: Uint32Array;
}

const maxTextBytes = 500 * 2 ** 20;

/**
 * Reads a CSV file (UTF-8, plain or gzip; `,`, `;` or tab, told by the header).
 * @throws TableError when the file is missing, empty, not text, ragged, or has two columns of one name
 */
export async function readSheet(path: string): Promise<Sheet> {
  const text = decodeText(path, await readBytes(path));
  const { records, lines } = parseRecords(path, text);
  const [first, ...rest] = records;
  if (first === undefined) throw new TableError('the file is empty.', { path });
  const header = first.map((name) => name.trim());
  refuseDuplicateColumns(path, header);
  for (const [i, record] of rest.entries()) {
    if (record.length !== header.length) {
      throw new TableError(
        `${record.length} fields where the header has ${header.length}. ` +
          'A comma inside a value needs quotes around the value.',
        { path, line: lines[i + 1] ?? 0 },
      );
    }
  }
  if (rest.length === 0) throw new TableError('there is a header but no row below it.', { path });
  return { path, header, records: rest, lines: Uint32Array.from(lines.slice(1)) };
}

/** Reads a text file as UTF-8, without byte order mark and with \n for line breaks; the same refusals as for a table. */
export async function readTextFile(path: string): Promise<string> {
  return decodeText(path, await readBytes(path));
}

async function readBytes(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(path, { maxBytes: maxTextBytes });
  } catch (cause) {
    if (!(cause instanceof RegularFileError)) throw cause;
    if (cause.code === 'TOO_LARGE') throw oversized(path);
    throw new TableError(cause.code === 'ENOENT' ? 'no such file.' : cause.reason, { path }, { cause });
  }
  if (bytes.length === 0) throw new TableError('the file is empty (0 bytes).', { path });
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = await promisify(gunzip)(bytes, { maxOutputLength: maxTextBytes });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TableError(`damaged or oversized gzip file (${why}).`, { path }, { cause });
    }
  }
  return bytes;
}

function oversized(path: string): TableError {
  return new TableError(`larger than the ${maxTextBytes / 2 ** 20} MiB that a table may have.`, { path });
}

function decodeText(path: string, bytes: Uint8Array): string {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new TableError('is UTF-16 text; save it as UTF-8.', { path });
  }
  if (a === 0x50 && b === 0x4b && bytes[2] === 3 && bytes[3] === 4) {
    throw new TableError('is a zip archive (an .xlsx workbook?); export the sheet as CSV.', { path });
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw new TableError(`is not text (byte ${nul} is zero).`, { path });
  try {
    // one kind of line break from here on, inside quotes too, so that lines are counted alike by everyone
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r\n?/g, '\n');
  } catch (cause) {
    const line = lineOfInvalidUtf8(bytes);
    throw new TableError('is not UTF-8 text; save it as UTF-8.', { path, line }, { cause });
  }
}

/** A line without its break is invalid UTF-8 exactly when it holds the bad byte: 0x0a is never part of a sequence. */
function lineOfInvalidUtf8(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(0x0a, start);
    const stop = end < 0 ? bytes.length : end;
    try {
      decoder.decode(bytes.subarray(start, stop));
    } catch {
      return line;
    }
    start = stop + 1;
    line++;
  }
  return line;
}

function parseRecords(path: string, text: string): { records: string[][]; lines: number[] } {
  const lines: number[] = [];
  try {
    const records: string[][] = parse(text, {
      delimiter: delimiterOf(text),
      record_delimiter: '\n',
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: (record: string[], context) => {
        lines.push(context.lines - breaksInside(record));
        return record;
      },
    });
    return { records, lines };
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const line = 'lines' in cause && typeof cause.lines === 'number' ? cause.lines : undefined;
    const place = line === undefined ? { path } : { path, line };
    const quote = cause.code === 'CSV_QUOTE_NOT_CLOSED' || cause.code.includes('QUOTE');
    throw new TableError(quote ? 'a quote is opened or closed in the wrong place.' : cause.message, place, {
      cause,
    });
  }
}

/** The separator that the header line holds most of outside of quotes; a comma when in doubt. */
function delimiterOf(text: string): string {
  const end = text.indexOf('\n');
  const header = (end < 0 ? text : text.slice(0, end)).replaceAll(/"(?:[^"]|"")*(?:"|$)/g, '');
  const count = (separator: string) => header.split(separator).length;
  if (count(';') > count(',')) return ';';
  if (count('\t') > count(',')) return '\t';
  return ',';
}

function breaksInside(record: readonly string[]): number {
  let breaks = 0;
  for (const field of record) {
    if (field.includes('\n')) breaks += field.split('\n').length - 1;
  }
  return breaks;
}

function refuseDuplicateColumns(path: string, header: readonly string[]): void {
  const seen = new Map<string, number>();
  for (const [i, name] of header.entries()) {
    if (name === '') continue;
    const earlier = seen.get(name);
    if (earlier !== undefined) {
      throw new TableError(`occurs twice (fields ${earlier + 1} and ${i + 1}); rename or remove one.`, {
        path,
        line: 1,
        column: name,
      });
    }
    seen.set(name, i);
  }
}
