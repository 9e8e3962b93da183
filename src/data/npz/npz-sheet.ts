import { type Sheet, TableError } from '../tables/csv-sheet.js';
import { elementReader, type NpyHeader } from './npy-header.js';
import { NpzArchive, NpzError } from './npz-archive.js';
import { pictureShape } from './picture-shape.js';

/**
 * The labels of a MedMNIST archive as rows of a table: `train_labels`, `val_labels` and `test_labels` beside the images
 * of the same parts. Labels are [n, classes] of 0 and 1, or one class number a picture, [n] or [n, 1], which becomes a
 * column a class.
 */

/** Names an image column as no CSV file does, so that the layout is known by it. */
export const NPZ_IMAGE_COLUMN = 'npz image';
export const NPZ_PARTS = ['train', 'val', 'test'] as const;
export type NpzPart = (typeof NPZ_PARTS)[number];

/** ChestMNIST's 112,120 pictures have 14 labels each. */
const MAX_LABEL_BYTES = 512 * 2 ** 20;
const MAX_ROWS = 4_000_000;
const MAX_CLASSES = 1000;

export function isNpz(path: string): boolean {
  return /\.npz$/i.test(path);
}

/**
 * @param classes names for all classes, in the archive's order; `class 0`, `class 1`, … when absent, or if their number
 * is another one
 * @throws TableError
 */
export async function readNpzSheet(path: string, classes?: readonly string[]): Promise<Sheet> {
  try {
    const parts = await NpzArchive.during(path, readParts);
    return sheetOf(path, parts, classes);
  } catch (cause) {
    if (!(cause instanceof NpzError)) throw cause;
    throw new TableError(cause.message, { path }, { cause });
  }
}

interface PartLabels {
  readonly part: NpzPart;
  readonly rows: number;
  /** Labels of a row: 1 for a class number. */
  readonly width: number;
  readonly valueAt: (i: number) => number;
}

async function readParts(archive: NpzArchive): Promise<PartLabels[]> {
  const parts: PartLabels[] = [];
  for (const part of NPZ_PARTS) {
    if (!archive.has(`${part}_images`)) continue;
    const { count: rows } = pictureShape(`${part}_images`, await archive.header(`${part}_images`));
    const name = `${part}_labels`;
    const header = await archive.header(name);
    const width = labelWidth(name, header, rows);
    const bytes = await archive.elements(name, header, MAX_LABEL_BYTES);
    parts.push({ part, rows, width, valueAt: elementReader(header, bytes) });
  }
  const [first] = parts;
  if (first === undefined) {
    throw new NpzError('it has no train_images, val_images or test_images: MedMNIST’s archives do.');
  }
  if (parts.reduce((sum, { rows }) => sum + rows, 0) > MAX_ROWS) {
    throw new NpzError(`it has more than ${MAX_ROWS} pictures.`);
  }
  for (const { part, width } of parts) {
    if (width === first.width) continue;
    throw new NpzError(`${part}_labels has ${width} labels a picture, ${first.part}_labels ${first.width}.`);
  }
  return parts;
}

function labelWidth(name: string, { shape }: NpyHeader, rows: number): number {
  const [count, width = 1] = shape;
  if (shape.length < 1 || shape.length > 2 || count !== rows || width < 1 || width > MAX_CLASSES) {
    throw new NpzError(
      `${name} has the shape (${shape.join(', ')}); (${rows},) or (${rows}, labels) is wanted for as many pictures.`,
    );
  }
  return width;
}

function sheetOf(path: string, parts: readonly PartLabels[], names?: readonly string[]): Sheet {
  const [first] = parts;
  const width = first === undefined || first.width === 1 ? classCount(parts) : first.width;
  const own = Array.from({ length: width }, (_, c) => `class ${c}`);
  const header = [
    NPZ_IMAGE_COLUMN,
    'split',
    ...(names?.length === width && !sameNames(names, own) ? names : own),
  ];
  const records: string[][] = [];
  for (const part of parts) {
    for (let row = 0; row < part.rows; row++) {
      records.push([`${part.part}/${row}`, part.part, ...labelCells(part, row, width)]);
    }
  }
  return { path, header, records, lines: Uint32Array.from(records.keys(), (i) => i + 1) };
}

/** A choice or another order of the archive's own names is one, and no naming. */
function sameNames(names: readonly string[], own: readonly string[]): boolean {
  return names.every((name) => own.includes(name));
}

function labelCells(part: PartLabels, row: number, width: number): string[] {
  if (part.width === 1) {
    const chosen = part.valueAt(row);
    return Array.from({ length: width }, (_, c) => (c === chosen ? '1' : '0'));
  }
  return Array.from({ length: width }, (_, c) => {
    const value = part.valueAt(row * width + c);
    if (value === 0 || value === 1) return value === 0 ? '0' : '1';
    throw badLabel(part, row, value, `column ${c}, where 0 or 1 is wanted`);
  });
}

/** One more than the largest class number. */
function classCount(parts: readonly PartLabels[]): number {
  let largest = 0;
  for (const part of parts) {
    for (let row = 0; row < part.rows; row++) {
      const value = part.valueAt(row);
      if (!Number.isInteger(value) || value < 0 || value >= MAX_CLASSES) {
        throw badLabel(part, row, value, `where a class number from 0 to ${MAX_CLASSES - 1} is wanted`);
      }
      if (value > largest) largest = value;
    }
  }
  return largest + 1;
}

function badLabel({ part }: PartLabels, row: number, value: number, where: string): NpzError {
  return new NpzError(`${part}_labels has ${value} in row ${row}, ${where}.`);
}
