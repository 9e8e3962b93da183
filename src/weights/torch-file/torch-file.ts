import type { SafetensorsTensor } from '../../models/safetensors/safetensors.js';
import { elementArrays, type SafetensorsDtype } from '../../models/safetensors/safetensors-dtypes.js';
import { quote } from '../../models/safetensors/safetensors-header.js';
import type { ByteSource } from './byte-source.js';
import type { TorchTensor } from './pickle-values.js';
import { stateDictOf } from './state-dict.js';
import { gather, isContiguous } from './strided.js';
import { type ArchiveEntry, TorchArchive } from './torch-archive.js';
import { TorchFileError } from './torch-file-error.js';
import { elementCount, endOf } from './torch-globals.js';
import { unpickle } from './unpickle.js';

/**
 * Weights as torch.save writes them since PyTorch 1.6 (`.pt`, `.pth`, `.bin`): a zip archive of a pickle, which says
 * which tensors there are, and of storages, which have their values. Opening reads names, types and shapes; values are
 * read when asked for, a tensor at a time.
 */
export class TorchFile {
  /** What was taken of the file and what was left, a sentence each. */
  readonly notes: readonly string[];
  readonly #archive: TorchArchive;
  readonly #tensors: ReadonlyMap<string, TorchTensor>;

  private constructor(
    archive: TorchArchive,
    tensors: ReadonlyMap<string, TorchTensor>,
    notes: readonly string[],
  ) {
    this.#archive = archive;
    this.#tensors = tensors;
    this.notes = notes;
  }

  /** The source belongs to the file from here on if it opens, and to the caller if it does not. @throws TorchFileError */
  static async open(source: ByteSource): Promise<TorchFile> {
    const archive = await TorchArchive.open(source);
    if (archive.entry('constants.pkl')) {
      throw new TorchFileError(
        'refused',
        'it is a TorchScript archive, which is a program. Save its tensors alone, in Python: ' +
          'torch.save(torch.jit.load("file.pt", map_location="cpu").state_dict(), "weights.pt").',
      );
    }
    await requireLittleEndian(archive);
    const pickle = required(archive, 'data.pkl');
    if (pickle.length > MAX_PICKLE_BYTES) {
      throw new TorchFileError(
        'damaged',
        `its data.pkl has ${pickle.length} bytes, more than the limit of ${MAX_PICKLE_BYTES}.`,
      );
    }
    const { tensors, notes } = stateDictOf(unpickle(await archive.bytes(pickle)));
    for (const [name, tensor] of tensors) requireStorage(archive, name, tensor);
    requireSize(archive, tensors);
    return new TorchFile(archive, tensors, notes);
  }

  /** Types and shapes by name, in the file's order. */
  tensors(): ReadonlyMap<string, { readonly dtype: SafetensorsDtype; readonly shape: readonly number[] }> {
    return new Map(
      [...this.#tensors].map(([name, { storage, shape }]) => [name, { dtype: storage.dtype, shape }]),
    );
  }

  /**
   * A tensor's values, row by row, in memory of their own.
   * @throws TorchFileError 'damaged' where the values were changed since they were written
   */
  async read(name: string): Promise<SafetensorsTensor> {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new RangeError(`no tensor ${quote(name)} in the file`);
    const { dtype } = tensor.storage;
    const data = await this.#elements(tensor);
    // The type of `data` follows `dtype`, which TypeScript cannot see through the lookup.
    return { dtype, shape: tensor.shape, data } as SafetensorsTensor;
  }

  /** All tensors with their values. */
  async readAll(): Promise<Map<string, SafetensorsTensor>> {
    const all = new Map<string, SafetensorsTensor>();
    for (const name of this.#tensors.keys()) all.set(name, await this.read(name));
    return all;
  }

  close(): Promise<void> {
    return this.#archive.close();
  }

  async #elements(tensor: TorchTensor) {
    const { storage, offset, shape } = tensor;
    const Elements = elementArrays[storage.dtype];
    const count = elementCount(shape);
    if (count === 0) return new Elements(new ArrayBuffer(0), 0, 0);
    const entry = required(this.#archive, `data/${storage.key}`);
    const width = Elements.BYTES_PER_ELEMENT;
    const span = endOf(tensor) - offset;
    const bytes =
      span === storage.count
        ? await this.#archive.bytes(entry)
        : await this.#archive.part(entry, offset * width, span * width);
    const elements = new Elements(bytes.buffer, 0, span);
    if (isContiguous(tensor)) return elements;
    const result = new Elements(new ArrayBuffer(count * width), 0, count);
    gather<number | bigint>(tensor, elements, result);
    return result;
  }
}

/** The pickle of a network with 20,000 tensors has about 4 MB. */
const MAX_PICKLE_BYTES = 32 * 2 ** 20;

/**
 * Views may repeat elements (tied weights, expanded ones), so a small file may stand for large tensors: for so many times
 * its size, or so many bytes where it is small.
 */
const MAX_EXPANSION = 4;
const MIN_EXPANDED_BYTES = 16 * 2 ** 20;

function requireSize(archive: TorchArchive, tensors: ReadonlyMap<string, TorchTensor>): void {
  const limit = Math.max(MAX_EXPANSION * archive.size, MIN_EXPANDED_BYTES);
  let total = 0;
  for (const [name, { storage, shape }] of tensors) {
    total += elementCount(shape) * elementArrays[storage.dtype].BYTES_PER_ELEMENT;
    if (total > limit) {
      throw new TorchFileError(
        'refused',
        `its tensors up to ${quote(name)} take ${total} bytes, ${MAX_EXPANSION} times the file and more: they repeat elements ` +
          'of few storages. Save them with .contiguous().',
      );
    }
  }
}

function requireStorage(archive: TorchArchive, name: string, { storage, shape }: TorchTensor): void {
  if (shape.includes(0)) return;
  const entry = archive.entry(`data/${storage.key}`);
  const bytes = storage.count * elementArrays[storage.dtype].BYTES_PER_ELEMENT;
  if (entry?.length === bytes) return;
  throw new TorchFileError(
    'damaged',
    `tensor ${quote(name)} is in storage ${storage.key}, ${storage.count} × ${storage.dtype}, ${bytes} bytes; the archive has ` +
      `${entry ? `${entry.length} bytes of it` : 'none such'}.`,
  );
}

async function requireLittleEndian(archive: TorchArchive): Promise<void> {
  const entry = archive.entry('byteorder');
  if (!entry) return;
  const order = entry.length > 16 ? '' : new TextDecoder('latin1').decode(await archive.bytes(entry));
  if (order === 'little') return;
  throw new TorchFileError(
    'refused',
    `its byte order is ${quote(order)}, readable is "little": save it again on a little-endian machine.`,
  );
}

function required(archive: TorchArchive, name: string): ArchiveEntry {
  const entry = archive.entry(name);
  if (!entry) throw new TorchFileError('damaged', `its archive has no ${quote(name)}.`);
  return entry;
}
