import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTarGzip } from 'nanotar';

/**
 * Writes one archive of a folder's content, with paths that start where bench/results begins: unpacked there, it can be
 * committed as it is.
 * @returns its bytes
 */
export async function writeArchive(folder: string, path: string): Promise<number> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const files = names.map((name) => ({
    name: name.slice(folder.length + 1),
    data: new Uint8Array(readFileSync(name)),
  }));
  const archive = await createTarGzip(files);
  writeFileSync(path, archive);
  return archive.byteLength;
}
