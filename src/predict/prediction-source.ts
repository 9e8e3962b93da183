import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { TableError } from '../data/tables/csv-sheet.js';
import { imageRootOf, type LabelTable, readTable } from '../data/tables/table.js';

/** What to predict on: a table of image identifiers, with or without labels, or simply a folder of pictures. */
export interface PredictionSource {
  readonly table: LabelTable;
  /** Folder that the identifiers are relative to, or the archive that holds the pictures. */
  readonly imageRoot: string;
}

/**
 * @param path a CSV file with an image column, a MedMNIST archive (.npz), or a folder whose PNG, JPEG and DICOM files are taken, in subfolders too
 * @param classes the model's; labels in the table are not looked at
 * @throws TableError when there is nothing to predict on
 */
export async function openPredictionSource(
  path: string,
  { images, classes }: { images?: string | undefined; classes: readonly string[] },
): Promise<PredictionSource> {
  const kind = await stat(path).catch(() => null);
  if (kind === null) throw new TableError('no such file or folder.', { path });
  if (!kind.isDirectory()) {
    const table = await readTable(path, { classes: [...classes], unlabelled: true });
    return { table, imageRoot: images ?? imageRootOf(path) };
  }
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory() && /\.(?:png|jpe?g|dcm|dicom)$/i.test(entry.name))
    .map((entry) => relative(path, join(entry.parentPath ?? entry.path, entry.name)).replaceAll(sep, '/'))
    .sort();
  if (names.length === 0)
    throw new TableError('the folder holds no PNG, JPEG or DICOM file (.png, .jpg, .jpeg, .dcm, .dicom).', {
      path,
    });
  return pictureSource(path, names, classes);
}

/** Pictures of a folder by their names, without labels. */
export function pictureSource(
  folder: string,
  names: readonly string[],
  classes: readonly string[],
): PredictionSource {
  const table: LabelTable = {
    path: folder,
    layout: 'plain',
    classes: [...classes],
    rows: names.map((image, i) => ({ image, patient: null, line: i + 1, split: null })),
    labels: new Float32Array(names.length * classes.length).fill(Number.NaN),
    patientIds: null,
    notes: [`${folder}: ${names.length} pictures.`],
  };
  return { table, imageRoot: folder };
}
