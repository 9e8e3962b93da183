import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../../storage/atomic-file.js';
import { cacheFolder } from '../../storage/cache-folder.js';

/**
 * What was measured of an adapter and its driver once and for all, in a file beside the tuner's. The rule's choice of
 * kernels depends on it, and a choice decides the last bits of a training: so a measured value counts only once it is
 * kept, for this process and all later ones.
 */
export interface AdapterFacts {
  /** See `DeviceTraits.residentGroups`. */
  readonly residentGroups: number;
}

const factsSchema = z.object({ residentGroups: z.int().positive() });

export interface AdapterMemoryOptions {
  /** The adapter and its driver, see `Device.description`. */
  readonly device: string;
  /** Default: `tuned` in the user's cache folder. */
  readonly folder?: string | undefined;
}

/**
 * @param measure called where nothing is kept
 * @returns undefined where what was measured could not be kept
 */
export async function keptFacts(
  { device, folder = join(cacheFolder(), 'tuned') }: AdapterMemoryOptions,
  measure: () => Promise<AdapterFacts>,
): Promise<AdapterFacts | undefined> {
  const path = join(folder, adapterFileName(device, device, 'json'));
  const kept = await readFacts(path);
  if (kept) return kept;
  const facts = await measure();
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeAtomically(path, `${JSON.stringify(facts)}\n`);
  } catch {
    return undefined;
  }
  // of processes that measured at once, all take what stands there now
  return readFacts(path);
}

async function readFacts(path: string): Promise<AdapterFacts | undefined> {
  try {
    return factsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** `llvmpipe-mesa-25-0-7-1f0c22ab.jsonl` @param key all that tells the file from others */
export function adapterFileName(device: string, key: string, extension: string): string {
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 8);
  const name = (device.toLowerCase().match(/[a-z0-9]+/g) ?? []).join('-').slice(0, 60);
  return `${name}-${digest}.${extension}`;
}
