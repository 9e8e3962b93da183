import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readSafetensors, toFloat32, writeSafetensors } from '../models/safetensors/safetensors.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { sha256 } from '../storage/content-digest.js';
import { readRegularFile } from '../storage/regular-file.js';
import type { Clip } from './clip.js';

/** Name of the one tensor in a file of the cache. */
const EMBEDDINGS = 'embeddings';

/**
 * Embeddings of texts, from a cache where the same model has embedded the same texts before: a large text tower takes
 * minutes for a file of prompts on a CPU.
 * @param cache a folder; absent: no cache
 * @returns [texts, width], each of length 1
 */
export async function embedTexts(
  clip: Clip,
  texts: readonly string[],
  cache?: string,
): Promise<Float32Array> {
  if (cache === undefined) return clip.encodeTexts(texts);
  const key = await sha256(JSON.stringify({ clip: clip.textDigest(), texts }));
  const path = join(cache, `${key}.safetensors`);
  const known = await readCached(path, texts.length * clip.width);
  if (known) return known;
  const embeddings = await clip.encodeTexts(texts);
  await mkdir(cache, { recursive: true });
  const tensor = { dtype: 'F32', shape: [texts.length, clip.width], data: embeddings } as const;
  await writeAtomically(path, writeSafetensors(new Map([[EMBEDDINGS, tensor]])));
  return embeddings;
}

/** A file that is missing or broken is no file of the cache. */
async function readCached(path: string, values: number): Promise<Float32Array | undefined> {
  try {
    const bytes = Uint8Array.from(await readRegularFile(path));
    const tensor = readSafetensors(bytes).tensors.get(EMBEDDINGS);
    const embeddings = tensor && toFloat32(tensor);
    return embeddings?.length === values ? embeddings : undefined;
  } catch {
    return undefined;
  }
}
