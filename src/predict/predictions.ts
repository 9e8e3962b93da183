import { stat } from 'node:fs/promises';
import { readSheet, TableError } from '../data/tables/csv-sheet.js';
import { cellText, csvText } from '../data/tables/csv-text.js';
import { type FileSystem, StorageError, writeAtomically } from '../storage/atomic-file.js';

/**
 * predictions.csv: one row for every image that was asked about, whether it could be read or not. An unreadable image
 * has empty probabilities and a note that says why; it never gets a made-up score. A damaged image that was used all the
 * same has both.
 */
export interface Prediction {
  /** The image's identifier as in the table. */
  readonly image: string;
  /** [classes] in [0, 1]; null for an image that can't be read. */
  readonly probabilities: ArrayLike<number> | null;
  /** validation, test…; '' where there is no split. */
  readonly split: string;
  /** Why there are no probabilities, or which damage of the image they were computed in spite of; else ''. */
  readonly note: string;
}

export interface Predictions {
  readonly classes: readonly string[];
  readonly rows: readonly Prediction[];
}

/** `ImageID, <a column per class>, split, note`. Probabilities are written so that they read back as the same float32. */
export function formatPredictions({ classes, rows }: Predictions): string {
  const lines = [['ImageID', ...classes, 'split', 'note']];
  for (const { image, probabilities, split, note } of rows) {
    const cells = classes.map((_, c) => (probabilities === null ? '' : shortest(probabilities[c] ?? 0)));
    lines.push([image, ...cells, split, note]);
  }
  return csvText(lines);
}

/** Writes the file, whole or not at all. @throws StorageError */
export async function writePredictions(
  path: string,
  predictions: Predictions,
  files?: FileSystem,
): Promise<void> {
  await writeAtomically(path, formatPredictions(predictions), files);
}

/** @throws StorageError when something lies there already; writes nothing */
export async function requireFreeFile(path: string, option = '--out'): Promise<void> {
  if ((await stat(path).catch(() => null)) === null) return;
  throw new StorageError(`${path} exists already: replace it with --force, or choose another ${option}.`);
}

/**
 * Reads such a file, or another's with an ImageID column and one column of probabilities a class.
 * @throws TableError naming line and column of what is no probability
 */
export async function readPredictions(path: string): Promise<Predictions> {
  const sheet = await readSheet(path);
  const imageColumn = sheet.header.indexOf('ImageID');
  if (imageColumn < 0) {
    throw new TableError('no column is called ImageID: is this a predictions.csv?', { path, line: 1 });
  }
  const splitColumn = sheet.header.indexOf('split');
  const noteColumn = sheet.header.indexOf('note');
  const columns = [...sheet.header.keys()].filter(
    (column) => ![imageColumn, splitColumn, noteColumn].includes(column),
  );
  if (columns.length === 0) throw new TableError('there is no column of probabilities.', { path, line: 1 });
  const rows = sheet.records.map((record, i): Prediction => {
    const cells = columns.map((column) => (record[column] ?? '').trim());
    const empty = cells.every((cell) => cell === '');
    return {
      image: cellText((record[imageColumn] ?? '').trim()),
      probabilities: empty
        ? null
        : Float32Array.from(cells, (cell, c) => {
            const value = Number(cell);
            if (cell !== '' && Number.isFinite(value)) return value;
            throw new TableError(`"${cell}" is not a score.`, {
              path,
              line: sheet.lines[i] ?? 0,
              column: sheet.header[columns[c] ?? 0] ?? '',
              value: cell,
            });
          }),
      split: cellText(record[splitColumn] ?? ''),
      note: cellText(record[noteColumn] ?? ''),
    };
  });
  return { classes: columns.map((column) => cellText(sheet.header[column] ?? '')), rows };
}

/** The fewest digits that read back as the same float32. */
function shortest(value: number): string {
  const single = Math.fround(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(single.toPrecision(digits)));
    if (Math.fround(Number(text)) === single) return text;
  }
  return String(Number(single.toPrecision(9)));
}
