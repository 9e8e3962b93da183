import { writeSafetensors } from '../models/safetensors/safetensors.js';
import { type FileSystem, writeAtomically } from '../storage/atomic-file.js';
import { npyBytes } from '../weights/npy-file.js';

/** The tensor of a file of embeddings. */
export const EMBEDDINGS = 'embeddings';

/** Embeddings of images or of texts in a file, a row each. */
export interface NamedEmbeddings {
  readonly kind: 'images' | 'texts';
  /** Identifiers of the images, or the texts. */
  readonly names: readonly string[];
  readonly width: number;
  /** [names, width] */
  readonly embeddings: Float32Array;
}

/** The files that embeddings at a path take: with NumPy's format, which has no place for names, a second one beside it. */
export function embeddingFiles(out: string): readonly string[] {
  return isNpy(out) ? [out, namesBeside(out)] : [out];
}

/**
 * Writes `embeddings` as a tensor of a safetensors file with the names in its metadata, as a JSON list. A path that ends in
 * `.npy` becomes a NumPy file instead, and the names a text file beside it, a JSON string in each line: names may hold
 * line feeds.
 * @throws StorageError
 */
export async function writeEmbeddings(
  out: string,
  { kind, names, width, embeddings }: NamedEmbeddings,
  files?: FileSystem,
): Promise<void> {
  const shape = [names.length, width];
  if (isNpy(out)) {
    await writeAtomically(namesBeside(out), names.map((name) => `${JSON.stringify(name)}\n`).join(''), files);
    await writeAtomically(out, npyBytes(shape, embeddings), files);
    return;
  }
  const tensor = { dtype: 'F32', shape, data: embeddings as Float32Array<ArrayBuffer> } as const;
  const metadata = { [kind]: JSON.stringify(names) };
  await writeAtomically(out, writeSafetensors(new Map([[EMBEDDINGS, tensor]]), metadata), files);
}

function isNpy(out: string): boolean {
  return out.toLowerCase().endsWith('.npy');
}

function namesBeside(out: string): string {
  return `${out.slice(0, -'.npy'.length)}.txt`;
}
