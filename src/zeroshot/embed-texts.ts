import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sameShape } from '../engine/graph/tensor.js';
import { readSafetensors, toFloat32, writeSafetensors } from '../models/safetensors/safetensors.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { sha256 } from '../storage/content-digest.js';
import { readRegularFile } from '../storage/regular-file.js';
import { EMBEDDINGS } from './embedding-file.js';
import type { ImageTextModel } from './image-text-model.js';

/**
 * Embeddings of texts, from a cache where the same model has embedded the same texts before: a large text tower takes
 * minutes for a file of prompts on a CPU.
 * @param cache a folder; absent: no cache
 * @returns [texts, width], each of length 1
 * @throws TailrayError where the model can embed no texts
 */
export async function embedTexts(
  model: ImageTextModel,
  texts: readonly string[],
  cache?: string,
): Promise<Float32Array> {
  const side = model.textSide();
  if (cache === undefined) return side.encode(texts);
  const key = await sha256(JSON.stringify({ model: side.digest(), texts }));
  const path = join(cache, `${key}.safetensors`);
  const known = await readCached(path, [texts.length, model.width]);
  if (known) return known;
  const embeddings = await side.encode(texts);
  await mkdir(cache, { recursive: true });
  const tensor = { dtype: 'F32', shape: [texts.length, model.width], data: embeddings } as const;
  await writeAtomically(path, writeSafetensors(new Map([[EMBEDDINGS, tensor]])));
  return embeddings;
}

/** A file that is missing, broken or of another shape is no file of the cache. */
async function readCached(path: string, shape: readonly number[]): Promise<Float32Array | undefined> {
  try {
    const bytes = Uint8Array.from(await readRegularFile(path));
    const tensor = readSafetensors(bytes).tensors.get(EMBEDDINGS);
    return tensor && sameShape(tensor.shape, shape) ? toFloat32(tensor) : undefined;
  } catch {
    return undefined;
  }
}
