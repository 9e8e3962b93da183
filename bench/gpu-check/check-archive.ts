import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTarGzip } from 'nanotar';

/**
 * Writes one archive of a folder's content, with paths that start where bench/results begins: unpacked there, it can be
 * committed as it is.
 * @param places folders of this machine, which are nobody's business, and what stands for each in texts
 * @returns its bytes
 */
export async function writeArchive(
  folder: string,
  path: string,
  places: ReadonlyMap<string, string> = new Map(),
): Promise<number> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const files = names.map((name) => {
    let data = readFileSync(name, 'utf8');
    for (const [place, word] of places) data = data.replaceAll(place, word);
    return { name: name.slice(folder.length + 1), data };
  });
  const archive = await createTarGzip(files);
  writeFileSync(path, archive);
  return archive.byteLength;
}
