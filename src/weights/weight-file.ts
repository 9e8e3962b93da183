import { readSafetensors, type SafetensorsFile } from '../models/safetensors/safetensors.js';
import { SafetensorsError } from '../models/safetensors/safetensors-header.js';
import { RegularFileError } from '../storage/regular-file.js';
import { CheckpointError } from './checkpoint-error.js';
import { conversionAdvice, isPickle } from './pickle-file.js';
import { type ByteSource, bytesSource, openFileSource } from './torch-file/byte-source.js';
import { TorchFile } from './torch-file/torch-file.js';
import { TorchFileError } from './torch-file/torch-file-error.js';

/** From a path to tensors: what can be wrong with a file of weights before it matters what is in it. */

export interface WeightFile extends SafetensorsFile {
  /** What was taken of the file and what was left, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads a file of weights by its content, whatever it is called: safetensors, or the zip archives of torch.save.
 * @throws CheckpointError 'missing'; 'pickle' for what of PyTorch's is never read, with what to do; 'damaged'
 */
export async function readWeightFile(path: string): Promise<WeightFile> {
  const source = await openFileSource(path).catch((error: unknown) => {
    throw unreadable(error, path);
  });
  try {
    return await readSource(source, path);
  } catch (error) {
    // such as a broken disk
    if (error instanceof Error && 'code' in error) throw unreadable(error, path);
    throw error;
  } finally {
    await source.close();
  }
}

/** The same from bytes. `path` is for messages. */
export function decodeWeights(bytes: Uint8Array, path: string): Promise<WeightFile> {
  return readSource(bytesSource(bytes), path);
}

async function readSource(source: ByteSource, path: string): Promise<WeightFile> {
  const start = new Uint8Array(Math.min(ZIP_START.length, source.size));
  await source.read(0, start);
  if (ZIP_START.every((byte, i) => start[i] === byte)) return readTorchFile(source, path);
  // an allocation of its own begins at a multiple of 8, as typed views need
  const bytes = new Uint8Array(source.size);
  await source.read(0, bytes);
  return { ...decodeSafetensors(bytes, path), notes: [] };
}

const ZIP_START = [0x50, 0x4b, 0x03, 0x04];

async function readTorchFile(source: ByteSource, path: string): Promise<WeightFile> {
  try {
    const file = await TorchFile.open(source);
    return { tensors: await file.readAll(), metadata: {}, notes: file.notes };
  } catch (error) {
    if (!(error instanceof TorchFileError)) throw error;
    const [kind, what] =
      error.kind === 'refused'
        ? (['pickle', "is a file of PyTorch's that tailray does not read"] as const)
        : (['damaged', "is no whole file of PyTorch's"] as const);
    throw new CheckpointError(kind, path, `${what}: ${error.message}`, { cause: error });
  }
}

function decodeSafetensors(bytes: Uint8Array, path: string): SafetensorsFile {
  try {
    return readSafetensors(bytes);
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    if (isPickle(bytes)) {
      throw new CheckpointError('pickle', path, `is a bare pickle. ${conversionAdvice(path)}`, {
        cause: error,
      });
    }
    throw new CheckpointError(
      'damaged',
      path,
      `is no safetensors file, or was cut short or changed: ${error.message}`,
      { cause: error },
    );
  }
}

function unreadable(error: unknown, path: string): CheckpointError {
  const reason =
    error instanceof RegularFileError
      ? error.reason
      : `can't be read (${error instanceof Error && 'code' in error ? error.code : error}).`;
  return new CheckpointError('missing', path, reason, { cause: error });
}
