import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { quote } from '../../models/safetensors/safetensors-header.js';
import { crc32 } from '../../storage/crc32.js';
import type { ByteSource } from './byte-source.js';
import { TorchFileError } from './torch-file-error.js';

/**
 * The zip archive that torch.save writes: `NAME/data.pkl`, a storage in each `NAME/data/KEY`, all stored as they are. No
 * entry is ever unpacked to a disk or decompressed, and each is believed only once its checksum is right.
 */

/** Where an entry's bytes lie. */
export interface ArchiveEntry {
  /** Without the folder that all entries are in. */
  readonly name: string;
  readonly start: number;
  readonly length: number;
  readonly crc32: number;
  /** As it is: neither compressed nor encrypted. */
  readonly stored: boolean;
}

/** Far more storages than any network has. */
const MAX_ENTRIES = 30_000;
const CHECK_BYTES = 2 ** 20;
const PICKLE = 'data.pkl';

export class TorchArchive {
  readonly #source: ByteSource;
  readonly #entries: ReadonlyMap<string, ArchiveEntry>;
  readonly #verified = new Set<ArchiveEntry>();

  private constructor(source: ByteSource, entries: ReadonlyMap<string, ArchiveEntry>) {
    this.#source = source;
    this.#entries = entries;
  }

  /** Reads the directory, checks it, and nothing else. @throws TorchFileError */
  static async open(source: ByteSource): Promise<TorchArchive> {
    const entries = await readDirectory(source);
    const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
    const [pickle] = pickles;
    if (pickle === undefined || pickles.length > 1) {
      throw new TorchFileError(
        'damaged',
        `it is a zip archive with ${pickles.length === 0 ? 'no' : pickles.length} ${PICKLE}: torch.save writes one.`,
      );
    }
    const folder = pickle.slice(0, -PICKLE.length);
    const own = [...entries.values()].filter(({ name }) => name.startsWith(folder));
    for (const entry of own) requireStored(entry);
    const named = own.map((entry) => ({ ...entry, name: entry.name.slice(folder.length) }));
    return new TorchArchive(source, new Map(named.map((entry) => [entry.name, entry])));
  }

  get size(): number {
    return this.#source.size;
  }

  entry(name: string): ArchiveEntry | undefined {
    return this.#entries.get(name);
  }

  /** A whole entry, its checksum right. @throws TorchFileError */
  async bytes(entry: ArchiveEntry): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(entry.length);
    await this.#source.read(entry.start, bytes);
    requireChecksum(entry, crc32(bytes));
    this.#verified.add(entry);
    return bytes;
  }

  /** A part of an entry; the checksum of the whole is verified first, once, in small pieces. @throws TorchFileError */
  async part(entry: ArchiveEntry, begin: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (begin < 0 || begin + length > entry.length) throw new RangeError(`no such part of ${entry.name}`);
    await this.#verify(entry);
    const bytes = new Uint8Array(length);
    await this.#source.read(entry.start + begin, bytes);
    return bytes;
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #verify(entry: ArchiveEntry): Promise<void> {
    if (this.#verified.has(entry)) return;
    const piece = new Uint8Array(Math.min(CHECK_BYTES, entry.length));
    let sum = 0;
    for (let done = 0; done < entry.length; done += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, entry.length - done));
      await this.#source.read(entry.start + done, part);
      sum = crc32(part, sum);
    }
    requireChecksum(entry, sum);
    this.#verified.add(entry);
  }
}

function requireChecksum(entry: ArchiveEntry, sum: number): void {
  if (sum === entry.crc32) return;
  throw new TorchFileError(
    'damaged',
    `${entry.name} was changed since it was written (its CRC-32 differs): fetch the file again, or save it again ` +
      'without torch.serialization.set_crc32_options(False).',
  );
}

/** All entries by their full names. @throws TorchFileError */
async function readDirectory(source: ByteSource): Promise<Map<string, ArchiveEntry>> {
  const entries = new Map<string, ArchiveEntry>();
  const ranges: { name: string; begin: number; end: number }[] = [];
  try {
    const options = { autoClose: false, strictFileNames: true, validateEntrySizes: true };
    const zip = await fromRandomAccessReaderPromise(new SourceReader(source), source.size, options);
    if (zip.entryCount > MAX_ENTRIES) throw tooMany(zip.entryCount);
    for await (const entry of zip.eachEntry()) {
      const found = await locate(zip, entry);
      if (entries.has(found.name)) {
        throw new TorchFileError(
          'damaged',
          `its zip directory has ${quote(found.name)} twice: which one is meant is unclear.`,
        );
      }
      entries.set(found.name, found);
      ranges.push({
        name: found.name,
        begin: entry.relativeOffsetOfLocalHeader,
        end: found.start + found.length,
      });
    }
  } catch (cause) {
    if (cause instanceof TorchFileError) throw cause;
    const reason = cause instanceof Error ? cause.message.slice(0, 300) : String(cause);
    throw new TorchFileError('damaged', `its zip directory can't be read (${reason}).`, { cause });
  }
  requireApart(ranges);
  return entries;
}

async function locate(zip: ZipFile, entry: Entry): Promise<ArchiveEntry> {
  const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const { fileName: name, compressedSize: length, crc32 } = entry;
  return { name, start, length, crc32, stored: entry.compressionMethod === 0 && !entry.isEncrypted() };
}

function requireStored({ name, stored }: ArchiveEntry): void {
  if (stored) return;
  throw new TorchFileError(
    'refused',
    `${quote(name)} is compressed or encrypted: torch.save stores all entries as they are. Save the file again with ` +
      'torch.save.',
  );
}

/** Entries that share bytes let a small file claim to be a large one. */
function requireApart(ranges: { name: string; begin: number; end: number }[]): void {
  ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (const [i, { name, begin }] of ranges.entries()) {
    const before = ranges[i - 1];
    if (before && begin < before.end) {
      throw new TorchFileError(
        'damaged',
        `the entries ${quote(before.name)} and ${quote(name)} overlap at byte ${begin}.`,
      );
    }
  }
}

function tooMany(count: number): TorchFileError {
  return new TorchFileError(
    'damaged',
    `its zip directory claims ${count} entries, more than the limit of ${MAX_ENTRIES}.`,
  );
}

/** How yauzl reads: its own way with a file descriptor ends the process where a file names a place beyond 2⁵³. */
class SourceReader extends RandomAccessReader {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#source
      .read(position, buffer.subarray(offset, offset + length))
      .then(() => callback(null), callback);
  }
}
