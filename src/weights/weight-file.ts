import { readSafetensors, type SafetensorsFile } from '../models/safetensors/safetensors.js';
import { SafetensorsError } from '../models/safetensors/safetensors-header.js';
import { RegularFileError, readRegularFile } from '../storage/regular-file.js';
import { CheckpointError } from './checkpoint-error.js';
import { conversionAdvice, isPickle } from './pickle-file.js';

/** From a path to tensors: what can be wrong with a file of weights before it matters what is in it. */

/** @throws CheckpointError 'missing'; 'pickle' for PyTorch's own format, with how to convert it; 'damaged' */
export async function readWeightFile(path: string): Promise<SafetensorsFile> {
  return decodeWeights(await readBytes(path), path);
}

/** The same from bytes. `path` is for messages. */
export function decodeWeights(bytes: Uint8Array, path: string): SafetensorsFile {
  try {
    return readSafetensors(bytes);
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    if (isPickle(bytes)) {
      throw new CheckpointError('pickle', path, `is a PyTorch pickle. ${conversionAdvice(path)}`, {
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

/** A whole file as bytes that begin at a multiple of 8, as typed views need. */
async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const buffer = await readRegularFile(path);
    return buffer.byteOffset % 8 === 0 ? buffer : new Uint8Array(buffer);
  } catch (error) {
    if (!(error instanceof RegularFileError)) throw error;
    throw new CheckpointError('missing', path, error.reason, { cause: error });
  }
}
