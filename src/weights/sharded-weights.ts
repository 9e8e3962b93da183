import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { SafetensorsTensor } from '../models/safetensors/safetensors.js';
import { RegularFileError, readRegularText } from '../storage/regular-file.js';
import { CheckpointError } from './checkpoint-error.js';
import { readWeightFile, type WeightFile } from './weight-file.js';

/**
 * Large models lie in several files, with an index beside them (Hugging Face's `model.safetensors.index.json` or
 * `pytorch_model.bin.index.json`) that says which tensor is where.
 */

/** Names of the parts are those of files beside the index: a path could lead out of the folder. */
const indexSchema = z.object({
  weight_map: z.record(
    z.string(),
    z.string().regex(/^[\w.-]+\.(safetensors|bin)$/, 'must be the name of a safetensors or .bin file'),
  ),
});

export function isShardIndex(path: string): boolean {
  return /\.(safetensors|bin)\.index\.json$/.test(path);
}

/** The files that an index names, in the order of their names. `path` is for messages. @throws CheckpointError 'damaged' */
export function shardNames(index: string, path: string): string[] {
  return [...new Set(Object.values(parseIndex(index, path)))].sort();
}

/** @throws CheckpointError 'missing', 'pickle' or 'damaged', also when a part lacks what the index says of it */
export async function readShards(path: string): Promise<WeightFile> {
  const text = await readRegularText(path).catch((cause: unknown) => {
    if (!(cause instanceof RegularFileError)) throw cause;
    throw new CheckpointError('missing', path, cause.reason, { cause });
  });
  const places = parseIndex(text, path);
  const tensors = new Map<string, SafetensorsTensor>();
  const notes: string[] = [];
  for (const shard of shardNames(text, path)) {
    const file = await readWeightFile(join(dirname(path), shard));
    notes.push(...file.notes.map((note) => `${shard}: ${note}`));
    for (const [name, tensor] of file.tensors) {
      if (places[name] !== shard) {
        throw new CheckpointError('damaged', path, `does not say that tensor "${name}" is in ${shard}.`);
      }
      tensors.set(name, tensor);
    }
  }
  const lost = Object.keys(places).filter((name) => !tensors.has(name));
  if (lost.length > 0) {
    const names = lost.slice(0, 8).join(', ');
    throw new CheckpointError('damaged', path, `names ${lost.length} tensors that its files lack: ${names}.`);
  }
  return { tensors, metadata: {}, notes };
}

function parseIndex(text: string, path: string): Readonly<Record<string, string>> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError('damaged', path, 'is not valid JSON.', { cause });
  }
  const parsed = indexSchema.safeParse(content);
  if (parsed.success) return parsed.data.weight_map;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new CheckpointError(
    'damaged',
    path,
    `is no index of files of weights (${where}: ${issue?.message}).`,
  );
}
