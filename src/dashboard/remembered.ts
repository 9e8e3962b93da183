import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../storage/atomic-file.js';
import { parseJson } from '../storage/parse-json.js';
import { NAMES } from '../train/run/run-directory.js';

/**
 * What a run keeps of its live page, so that browsers find it again when it is resumed: a file in its folder. It holds no
 * secret: of the sessions the digests alone.
 */
const schema = z.strictObject({
  port: z.int().min(1).max(65535),
  id: z.string().regex(/^[\w-]{16,64}$/),
  sessions: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
});

export type Remembered = z.infer<typeof schema>;

/** Undefined where there is nothing, or nothing that can be understood: the page then has a new address. */
export async function readRemembered(runFolder: string): Promise<Remembered | undefined> {
  const text = await readFile(pathIn(runFolder), 'utf8').catch(() => undefined);
  return schema.safeParse(parseJson(text)).data;
}

/** @throws StorageError */
export function writeRemembered(runFolder: string, remembered: Remembered): Promise<void> {
  return writeAtomically(pathIn(runFolder), `${JSON.stringify(remembered)}\n`);
}

function pathIn(runFolder: string): string {
  return join(runFolder, NAMES.dashboard);
}
