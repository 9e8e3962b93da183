import type { FileHandle } from 'node:fs/promises';
import { createInflateRaw } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from 'yauzl';
import { crc32 } from '../../storage/crc32.js';
import { openRegularFile, RegularFileError } from '../../storage/regular-file.js';
import { formatByteSize } from '../../text/byte-size.js';
import { MAX_NPY_HEADER_BYTES, NpyError, type NpyHeader, readNpyHeader } from './npy-header.js';

/**
 * A .npz file: a zip archive with a .npy file for each array, stored or deflated. Arrays are read one by one, in pieces,
 * into memory of the size that their header says, and are believed once their checksum is right.
 */

/** An archive, or an array in it, that can't be used; the message says why, without the path. */
export class NpzError extends Error {}

interface Member {
  readonly name: string;
  readonly start: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly crc32: number;
  readonly deflated: boolean;
}

/** MedMNIST's files have six arrays. */
const MAX_MEMBERS = 1000;
const PIECE_BYTES = 2 ** 18;
/** No deflated byte stands for more than 1,032. */
const MAX_DEFLATE_RATIO = 1032;

export class NpzArchive {
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<string, Member>;

  private constructor(file: FileHandle, members: ReadonlyMap<string, Member>) {
    this.#file = file;
    this.#members = members;
  }

  /** Opens an archive for as long as `work` takes. @throws NpzError and what `work` throws */
  static async during<T>(path: string, work: (archive: NpzArchive) => Promise<T>): Promise<T> {
    let file: FileHandle;
    try {
      file = await openRegularFile(path);
    } catch (cause) {
      throw cause instanceof RegularFileError ? new NpzError(cause.reason, { cause }) : cause;
    }
    try {
      return await work(new NpzArchive(file, await readDirectory(file)));
    } finally {
      await file.close();
    }
  }

  /** Whether it has an array of this name. */
  has(name: string): boolean {
    return this.#members.has(`${name}.npy`);
  }

  /** The header of an array. @throws NpzError */
  async header(name: string): Promise<NpyHeader> {
    const member = this.#member(name);
    const head = new Uint8Array(Math.min(MAX_NPY_HEADER_BYTES, member.bytes));
    let filled = 0;
    for await (const piece of pieces(this.#file, member)) {
      const part = piece.subarray(0, head.length - filled);
      head.set(part, filled);
      filled += part.length;
      if (filled === head.length) break;
    }
    return headerOf(member, head.subarray(0, filled));
  }

  /** The elements of an array as bytes. @param maxBytes refused beyond it, before anything is allocated @throws NpzError */
  async elements(name: string, header: NpyHeader, maxBytes: number): Promise<Uint8Array> {
    const member = this.#member(name);
    const length = header.count * header.bytesEach;
    if (length > maxBytes) {
      const [size, limit] = [formatByteSize(length), formatByteSize(maxBytes)];
      throw new NpzError(`${name} takes ${size} unpacked; more than the ${limit} allowed.`);
    }
    if (member.bytes !== header.dataStart + length) {
      throw new NpzError(
        `${name} says ${length} bytes of elements, and its entry has ${member.bytes} bytes in all.`,
      );
    }
    const whole = new Uint8Array(length);
    let at = -header.dataStart;
    let sum = 0;
    for await (const piece of pieces(this.#file, member)) {
      if (at + piece.length > length) throw damagedMember(name, 'it is longer than it says');
      sum = crc32(piece, sum);
      whole.set(at < 0 ? piece.subarray(Math.min(-at, piece.length)) : piece, Math.max(0, at));
      at += piece.length;
    }
    if (at !== length) throw damagedMember(name, 'it ends too early');
    if (sum !== member.crc32) throw damagedMember(name, 'its checksum does not hold');
    return whole;
  }

  #member(name: string): Member {
    const member = this.#members.get(`${name}.npy`);
    if (member === undefined) throw new NpzError(`it has no array ${name}.`);
    return member;
  }
}

function headerOf({ name }: Member, bytes: Uint8Array): NpyHeader {
  try {
    return readNpyHeader(bytes);
  } catch (cause) {
    if (!(cause instanceof NpyError)) throw cause;
    throw new NpzError(`${name} ${cause.message}`, { cause });
  }
}

function damagedMember(name: string, how: string): NpzError {
  return new NpzError(`${name} is damaged (${how}): fetch the file again.`);
}

async function readDirectory(file: FileHandle): Promise<Map<string, Member>> {
  const { size } = await file.stat();
  const members = new Map<string, Member>();
  try {
    const zip = await fromRandomAccessReaderPromise(new FileReader(file, size), size, {
      autoClose: false,
      strictFileNames: true,
      validateEntrySizes: true,
    });
    if (zip.entryCount > MAX_MEMBERS) {
      throw new NpzError(
        `its zip directory claims ${zip.entryCount} entries; more than the ${MAX_MEMBERS} allowed.`,
      );
    }
    for await (const entry of zip.eachEntry()) {
      if (entry.isEncrypted() || (entry.compressionMethod !== 0 && entry.compressionMethod !== 8)) {
        throw new NpzError('an array is encrypted, or packed in another way than numpy’s.');
      }
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      members.set(entry.fileName, memberOf(entry, fileDataStart, size));
    }
  } catch (cause) {
    if (cause instanceof NpzError) throw cause;
    // the reader's own words may quote names from the file
    throw new NpzError('it is no zip archive, or its directory is damaged: fetch the file again.');
  }
  return members;
}

function memberOf(entry: Entry, start: number, fileBytes: number): Member {
  const { fileName: name, compressedSize: packedBytes, uncompressedSize: bytes, crc32: sum } = entry;
  const deflated = entry.compressionMethod === 8;
  const most = deflated ? packedBytes * MAX_DEFLATE_RATIO : packedBytes;
  if (start + packedBytes > fileBytes || bytes > most) {
    throw new NpzError(
      'an array is said to be larger than its bytes can be: the file was cut short or changed.',
    );
  }
  return { name, start, packedBytes, bytes, crc32: sum, deflated };
}

/** The bytes of a member, unpacked, in pieces; never more than one piece beyond what it says. @throws NpzError */
async function* pieces(file: FileHandle, member: Member): AsyncGenerator<Uint8Array> {
  if (!member.deflated) {
    yield* packedPieces(file, member);
    return;
  }
  const inflate = createInflateRaw({ chunkSize: Math.min(PIECE_BYTES, Math.max(64, member.bytes)) });
  const feeding = feed(inflate, packedPieces(file, member));
  try {
    for await (const piece of inflate) yield piece as Uint8Array;
    await feeding;
  } catch (cause) {
    if (cause instanceof NpzError) throw cause;
    throw damagedMember(member.name, 'it does not unpack');
  } finally {
    inflate.destroy();
  }
}

async function feed(
  inflate: ReturnType<typeof createInflateRaw>,
  packed: AsyncGenerator<Uint8Array>,
): Promise<void> {
  try {
    for await (const piece of packed) {
      if (inflate.destroyed) return;
      if (!inflate.write(piece)) {
        await new Promise<void>((resolve) => inflate.once('drain', resolve).once('close', resolve));
      }
    }
    inflate.end();
  } catch (cause) {
    inflate.destroy(cause instanceof Error ? cause : new Error(String(cause)));
  }
}

async function* packedPieces(
  file: FileHandle,
  { name, start, packedBytes }: Member,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < packedBytes; ) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, packedBytes - done));
    const { bytesRead } = await file.read(piece, 0, piece.length, start + done);
    if (bytesRead === 0) throw damagedMember(name, 'it ends too early');
    yield piece.subarray(0, bytesRead);
    done += bytesRead;
  }
}

/** How yauzl reads: its own way with a file descriptor ends the process where a file names a place beyond 2⁵³. */
class FileReader extends RandomAccessReader {
  readonly #file: FileHandle;
  readonly #size: number;

  constructor(file: FileHandle, size: number) {
    super();
    this.#file = file;
    this.#size = size;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (!(Number.isSafeInteger(position) && position >= 0 && position + length <= this.#size)) {
      callback(new Error('beyond the end'));
      return;
    }
    this.#file
      .read(buffer, offset, length, position)
      .then(
        ({ bytesRead }) => callback(bytesRead === length ? null : new Error('read too little')),
        callback,
      );
  }
}
