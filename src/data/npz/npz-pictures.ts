import { stat } from 'node:fs/promises';
import { formatByteSize } from '../../text/byte-size.js';
import type { Samples } from '../images/image-decoder.js';
import { ImageError } from '../images/image-error.js';
import { elementReader, type NpyHeader } from './npy-header.js';
import { NpzArchive, NpzError } from './npz-archive.js';
import { NPZ_PARTS } from './npz-sheet.js';
import { type PictureShape, pictureShape } from './picture-shape.js';

/**
 * The pictures of a MedMNIST archive, by identifiers such as `train/17`. An array can't be unpacked from its middle, so
 * each is unpacked once and held in memory, until another archive needs the room.
 */

/** All arrays of pictures together that are held: ChestMNIST at 128 × 128 has 1.8 GB, at 224 × 224 5.6 GB. */
const MAX_HELD_BYTES = 2 * 2 ** 30;

interface PictureArray {
  readonly header: NpyHeader;
  readonly shape: PictureShape;
  readonly elements: Uint8Array;
}

interface HeldFile {
  /** Of all its arrays of pictures, unpacked or not. */
  readonly bytes: number;
  readonly arrays: Map<string, Promise<PictureArray>>;
}

/** Files by path, size and time; the one that was opened first is first. */
const opened = new Map<string, Promise<HeldFile>>();
/** Those of them whose sizes are known. */
const held = new Map<string, HeldFile>();

/** The samples of a picture. @throws ImageError */
export async function readNpzPicture(path: string, id: string): Promise<Samples> {
  const [, part, place] = /^(train|val|test)\/(\d{1,9})$/.exec(id) ?? [];
  if (part === undefined) throw missing(id);
  const { header, shape, elements } = await arrayOf(path, `${part}_images`, id);
  const { count, height, width, channels } = shape;
  const index = Number(place);
  if (index >= count) throw missing(id);
  const samples = height * width * channels;
  const bytes = elements.subarray(
    index * samples * header.bytesEach,
    (index + 1) * samples * header.bytesEach,
  );
  if (header.bytesEach === 1) return { width, height, channels, values: bytes };
  const valueAt = elementReader(header, bytes);
  return { width, height, channels, values: Uint16Array.from({ length: samples }, (_, i) => valueAt(i)) };
}

/** Whether an identifier is one of the archive's, without unpacking anything. */
export async function hasNpzPicture(path: string, id: string): Promise<boolean> {
  const [, part] = /^(train|val|test)\/\d{1,9}$/.exec(id) ?? [];
  if (part === undefined) return false;
  try {
    return await NpzArchive.during(path, async (archive) => archive.has(`${part}_images`));
  } catch (error) {
    if (error instanceof NpzError) return false;
    throw error;
  }
}

async function arrayOf(path: string, name: string, id: string): Promise<PictureArray> {
  const found = await stat(path).catch(() => null);
  const key = JSON.stringify([path, found?.size, found?.mtimeMs]);
  try {
    const { arrays } = await once(opened, key, () => openFile(path, key));
    return await once(arrays, name, () => NpzArchive.during(path, (archive) => readArray(archive, name)));
  } catch (cause) {
    if (!(cause instanceof NpzError)) throw cause;
    throw new ImageError('unreadable', id, cause.message, undefined, { cause });
  }
}

/** What is being made under a key, or was made; a failure is forgotten, so that it can be tried again. */
function once<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(key);
  if (known !== undefined) return known;
  const making = make();
  made.set(key, making);
  making.catch(() => made.delete(key));
  return making;
}

/** Sums up the arrays of a file by their headers, and lets go of other files until there is room for them. */
async function openFile(path: string, key: string): Promise<HeldFile> {
  const bytes = await NpzArchive.during(path, async (archive) => {
    let sum = 0;
    for (const part of NPZ_PARTS) {
      if (!archive.has(`${part}_images`)) continue;
      const { count, bytesEach } = await archive.header(`${part}_images`);
      sum += count * bytesEach;
    }
    return sum;
  });
  if (bytes > MAX_HELD_BYTES) {
    const [size, limit] = [formatByteSize(bytes), formatByteSize(MAX_HELD_BYTES)];
    throw new NpzError(
      `its pictures take ${size} unpacked; more than the ${limit} that are held in memory. Take them in a smaller size, ` +
        'or write them as PNG files with a table.',
    );
  }
  for (const [other, file] of held) {
    if ([...held.values()].reduce((sum, each) => sum + each.bytes, bytes) <= MAX_HELD_BYTES) break;
    file.arrays.clear();
    held.delete(other);
    opened.delete(other);
  }
  const file = { bytes, arrays: new Map<string, Promise<PictureArray>>() };
  held.set(key, file);
  return file;
}

async function readArray(archive: NpzArchive, name: string): Promise<PictureArray> {
  const header = await archive.header(name);
  const shape = pictureShape(name, header);
  return { header, shape, elements: await archive.elements(name, header, MAX_HELD_BYTES) };
}

function missing(id: string): ImageError {
  return new ImageError('missing', id, 'no such picture in the archive.');
}
