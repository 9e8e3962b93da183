import { z } from 'zod';
import { readSafetensors, type SafetensorsFile, toFloat32 } from '../../models/safetensors/safetensors.js';
import { SafetensorsError } from '../../models/safetensors/safetensors-header.js';
import type { FileSystem } from '../../storage/atomic-file.js';
import { parseJson } from '../../storage/parse-json.js';
import { RegularFileError, readRegularFile } from '../../storage/regular-file.js';
import { shorten } from '../../text/shorten.js';
import { ClipError } from '../clip-error.js';
import { EMBEDDINGS, writeEmbeddings } from '../embedding-file.js';

/** Embeddings of known texts: what `zeroshot embed --texts` writes, and what a run keeps of a text encoder that it used. */
export interface TextTable {
  readonly width: number;
  readonly texts: readonly string[];
  /** [texts, width] */
  readonly embeddings: Float32Array;
}

/** @throws StorageError */
export function writeTextTable(path: string, table: TextTable, files?: FileSystem): Promise<void> {
  const { width, texts, embeddings } = table;
  return writeEmbeddings(path, { kind: 'texts', names: texts, width, embeddings }, files);
}

/** @throws ClipError where the file holds no embeddings of texts */
export async function readTextTable(path: string): Promise<TextTable> {
  const { tensors, metadata } = await readFile(path);
  const tensor = tensors.get(EMBEDDINGS);
  const texts = z.array(z.string()).safeParse(parseJson(metadata.texts));
  if (!tensor || !texts.success) {
    throw new ClipError(
      `${path}: holds no embeddings of texts: make such a file with zeroshot embed --texts.`,
    );
  }
  const [count, width = 0] = tensor.shape;
  if (tensor.shape.length !== 2 || width === 0 || count !== texts.data.length) {
    throw new ClipError(
      `${path}: ${EMBEDDINGS} [${tensor.shape.join(', ')}] does not fit its ${texts.data.length} texts.`,
    );
  }
  return { width, texts: texts.data, embeddings: toFloat32(tensor) };
}

/**
 * Looks texts up. @returns [texts, width]
 * @param place of the table, for messages @throws ClipError naming the texts that are not there
 */
export function lookUpTexts(
  { width, texts: known, embeddings }: TextTable,
  texts: readonly string[],
  place: string,
): Float32Array {
  const rowOf = new Map(known.map((text, i) => [text, i]));
  const missing = texts.filter((text) => !rowOf.has(text));
  if (missing.length > 0) {
    const some = missing.slice(0, 3).map((text) => JSON.stringify(shorten(text, 60)));
    throw new ClipError(
      `${place}: has no embedding for ${missing.length} of ${texts.length} texts, such as ${some.join(', ')}: ` +
        'embed them with the same model (zeroshot embed --texts).',
    );
  }
  const rows = new Float32Array(texts.length * width);
  for (const [i, text] of texts.entries()) {
    const row = rowOf.get(text) ?? 0;
    rows.set(embeddings.subarray(row * width, (row + 1) * width), i * width);
  }
  return rows;
}

async function readFile(path: string): Promise<SafetensorsFile> {
  try {
    return readSafetensors(Uint8Array.from(await readRegularFile(path)));
  } catch (error) {
    if (error instanceof RegularFileError) throw new ClipError(error.message, { cause: error });
    if (error instanceof SafetensorsError) throw new ClipError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}
