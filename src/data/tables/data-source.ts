import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TableError } from './csv-sheet.js';
import { readImageList, splitByLists } from './image-list.js';
import { sharedPatients, splitByPatient } from './split.js';
import { imageRootOf, type LabelTable, readTable, type TableOptions } from './table.js';

/**
 * What `--data` means: from the path that a person types to tables, image folder and the three parts of a split.
 * Splits that come with the data (official lists, separate files, a split column) are kept; what is missing is drawn
 * by patient from the training part.
 */

/** Some rows of a table. */
export interface DataPart {
  readonly table: LabelTable;
  /** Rows of the table, ascending. */
  readonly indices: Int32Array;
}

export interface DataSource {
  /** Folder that the tables' image identifiers are relative to, or the archive that holds the pictures (.npz). */
  readonly imageRoot: string;
  readonly classes: readonly string[];
  readonly train: DataPart;
  readonly validation: DataPart;
  /** Null when the data bring none and none was asked for. */
  readonly test: DataPart | null;
  /** What was found and how it was split, a sentence each. */
  readonly notes: readonly string[];
}

export interface DataSourceOptions {
  /** Image folder; default: the folder of the table (images may lie in its `images/`). */
  images?: string;
  table?: TableOptions;
  /** Share of the training part for validation where the data bring none; default 0.1. */
  validation?: number;
  /** Share for testing where the data bring none; default 0 (no test part). */
  test?: number;
  /** Of the drawn splits; default 42. */
  seed?: number;
  /** Deal out rare classes first when a split is drawn; default true. */
  stratify?: boolean;
}

/**
 * Understands a CSV file; a MedMNIST archive (.npz); a folder with `Data_Entry_2017*.csv`, `train_val_list.txt`, `test_list.txt` (NIH); a folder
 * with `train.csv` and perhaps `valid.csv`/`validation.csv`/`val.csv` and `test.csv` (phantoms, CheXpert, the
 * challenge); a folder with a single CSV.
 * @throws TableError when there is no table, or it can't be used; SplitError when it can't be split
 */
export async function resolveDataSource(path: string, options: DataSourceOptions = {}): Promise<DataSource> {
  const kind = await kindOf(path);
  if (kind === null) throw new TableError('no such file or folder.', { path });
  if (kind === 'file') return fromTable(path, options.images ?? imageRootOf(path), options);
  const files = (await readdir(path)).sort();
  const root = options.images ?? path;
  const nih = files.find((name) => /^Data_Entry_2017.*\.csv(?:\.gz)?$/i.test(name));
  if (nih !== undefined) return fromNih(path, nih, files, root, options);
  const train = pick(files, ['train']);
  if (train !== undefined) {
    const validation = pick(files, ['valid', 'validation', 'val']);
    const test = pick(files, ['test']);
    return fromTables(path, { train, validation, test }, root, options);
  }
  const tables = files.filter((name) => /\.csv(?:\.gz)?$/i.test(name));
  const [only] = tables;
  if (only !== undefined && tables.length === 1) return fromTable(join(path, only), root, options);
  throw new TableError(
    `the folder holds ${tables.length === 0 ? 'no CSV file' : `several (${tables.join(', ')})`}. ` +
      'Name the CSV file itself, or a folder with train.csv or with NIH’s Data_Entry_2017.csv.',
    { path },
  );
}

/** One table; its own split column decides where it has one. */
async function fromTable(path: string, imageRoot: string, options: DataSourceOptions): Promise<DataSource> {
  const table = await readTable(path, options.table);
  const notes = [...table.notes];
  const rows = [...table.rows.keys()];
  const assigned = (name: string) => Int32Array.from(rows.filter((i) => table.rows[i]?.split === name));
  const train = assigned('train');
  if (train.length === 0)
    return finish({ table, indices: Int32Array.from(rows) }, {}, imageRoot, notes, options);
  const given = { validation: assigned('validation'), test: assigned('test') };
  const unassigned = rows.length - train.length - given.validation.length - given.test.length;
  notes.push('the split is the one that the table’s own column gives.');
  if (unassigned > 0) notes.push(`${unassigned} rows are assigned to no split and are left out.`);
  return finish(
    { table, indices: train },
    {
      ...(given.validation.length > 0 && { validation: { table, indices: given.validation } }),
      ...(given.test.length > 0 && { test: { table, indices: given.test } }),
    },
    imageRoot,
    notes,
    options,
  );
}

async function fromNih(
  folder: string,
  file: string,
  files: readonly string[],
  imageRoot: string,
  options: DataSourceOptions,
): Promise<DataSource> {
  const table = await readTable(join(folder, file), options.table);
  const notes = [...table.notes];
  const all = { table, indices: Int32Array.from(table.rows.keys()) };
  if (!files.includes('train_val_list.txt') || !files.includes('test_list.txt')) {
    notes.push('train_val_list.txt and test_list.txt are not both there: this is not NIH’s official split.');
    return finish(all, {}, imageRoot, notes, options);
  }
  const lists = {
    trainValidation: await readImageList(join(folder, 'train_val_list.txt')),
    test: await readImageList(join(folder, 'test_list.txt')),
  };
  const { parts, notes: listNotes } = splitByLists(table, lists);
  notes.push('test is NIH’s official list.', ...listNotes);
  return finish(
    { table, indices: parts.trainValidation },
    { test: { table, indices: parts.test } },
    imageRoot,
    notes,
    options,
  );
}

async function fromTables(
  folder: string,
  files: { train: string; validation: string | undefined; test: string | undefined },
  imageRoot: string,
  options: DataSourceOptions,
): Promise<DataSource> {
  const train = await readTable(join(folder, files.train), options.table);
  const notes = [...train.notes];
  const other = async (file: string): Promise<DataPart> => {
    // the model's outputs are the training table's classes, whatever else the other file holds
    const table = await readTable(join(folder, file), {
      ...options.table,
      classes: train.classes,
      unlabelled: true,
    });
    notes.push(...table.notes);
    return { table, indices: Int32Array.from(table.rows.keys()) };
  };
  return finish(
    { table: train, indices: Int32Array.from(train.rows.keys()) },
    {
      ...(files.validation !== undefined && { validation: await other(files.validation) }),
      ...(files.test !== undefined && { test: await other(files.test) }),
    },
    imageRoot,
    notes,
    options,
  );
}

/** Draws what the data don't bring, and looks for patients on both sides of what they do. */
function finish(
  training: DataPart,
  given: { validation?: DataPart; test?: DataPart },
  imageRoot: string,
  notes: string[],
  options: DataSourceOptions,
): DataSource {
  const { table } = training;
  const drawTest = given.test === undefined && (options.test ?? 0) > 0;
  let train = training;
  let { validation, test = null } = { test: null, ...given } as Partial<
    Pick<DataSource, 'validation' | 'test'>
  >;
  if (validation === undefined || drawTest) {
    const split = splitByPatient(table, {
      validation: validation === undefined ? (options.validation ?? 0.1) : 0,
      test: drawTest ? (options.test ?? 0) : 0,
      seed: options.seed ?? 42,
      stratify: options.stratify ?? true,
      indices: training.indices,
    });
    notes.push(...split.notes);
    train = { table, indices: split.train };
    validation ??= { table, indices: split.validation };
    if (drawTest) test = { table, indices: split.test };
  }
  const parts = { train, validation, test };
  for (const [a, b] of [
    ['train', 'validation'],
    ['train', 'test'],
    ['validation', 'test'],
  ] as const) {
    const [left, right] = [parts[a], parts[b]];
    if (left !== null && right !== null) notes.push(...overlapNotes(left, right, `${a} and ${b}`));
  }
  return { imageRoot, classes: table.classes, ...parts, notes };
}

/** Patients or, where those aren't named, images that occur in two parts. */
function overlapNotes(left: DataPart, right: DataPart, names: string): string[] {
  const patients = sharedPatients(left, right);
  const images = new Set(Array.from(left.indices, (index) => left.table.rows[index]?.image));
  const repeated = Array.from(right.indices, (index) => right.table.rows[index]?.image ?? '').filter(
    (image) => images.has(image),
  );
  const [what, shared] = patients.length > 0 ? ['patient', patients] : ['image', repeated];
  if (shared.length === 0) return [];
  // notes are passed on, in reports and model cards: patients are counted there, and named by inspect --show-ids only
  const some =
    what === 'patient' ? '' : ` (${shared.slice(0, 3).join(', ')}${shared.length > 3 ? ', …' : ''})`;
  const are = shared.length === 1 ? `${what}${some} is` : `${what}s${some} are`;
  return [`WARNING: ${shared.length} ${are} in ${names} both: scores will be too good.`];
}

function pick(files: readonly string[], stems: readonly string[]): string | undefined {
  for (const stem of stems) {
    for (const name of [`${stem}.csv`, `${stem}.csv.gz`]) if (files.includes(name)) return name;
  }
  return undefined;
}

async function kindOf(path: string): Promise<'file' | 'folder' | null> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return null;
  }
}
