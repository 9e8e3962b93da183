import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { TableError } from '../data/tables/csv-sheet.js';
import { openPredictionSource, type PredictionSource, pictureSource } from '../predict/prediction-source.js';

/**
 * What people name to have explained: picture files, folders of them, tables, archives. Picture files of one folder come
 * together.
 * @throws TableError for what is not there, or holds no pictures
 */
export async function openPictureSources(
  paths: readonly string[],
  { images, classes }: { images?: string | undefined; classes: readonly string[] },
): Promise<PredictionSource[]> {
  const sources: PredictionSource[] = [];
  const files = new Map<string, string[]>();
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (found === null) throw new TableError('no such file or folder.', { path });
    if (found.isDirectory() || /\.(?:csv(?:\.gz)?|npz)$/i.test(path)) {
      sources.push(await openPredictionSource(path, { images, classes }));
      continue;
    }
    const folder = dirname(path);
    files.set(folder, [...(files.get(folder) ?? []), basename(path)]);
  }
  const single = Array.from(files, ([folder, names]) => pictureSource(folder, names, classes));
  return [...single, ...sources];
}
