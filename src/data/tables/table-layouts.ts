import { NPZ_IMAGE_COLUMN } from '../npz/npz-sheet.js';
import { type Sheet, TableError } from './csv-sheet.js';
import { type BlankPolicy, labelValue, readLabelCell, type UncertainPolicy } from './label-cell.js';
import { badLabel, inferLabelColumns, list } from './label-columns.js';
import {
  findColumn,
  findImageColumn,
  findPatientColumn,
  findSplitColumn,
  isDescriptiveColumn,
} from './table-columns.js';

/**
 * The layouts in which chest X-ray labels come. A layout knows how to recognise its header and where the image, the
 * patient and the labels stand; what is common to all (duplicates, selection, counts) is in table.ts.
 */

export type LayoutName = 'cxrlt' | 'nih' | 'chexpert' | 'medmnist' | 'plain';

export interface LayoutOptions {
  /** The classes wanted, in this order; all when absent. For `plain`, this also says which columns are labels. */
  classes?: readonly string[];
  imageColumn?: string;
  patientColumn?: string;
  /** Class columns may be missing altogether: their labels are then unknown. For tables to predict on. */
  unlabelled?: boolean;
  /** Default 'unknown'. */
  uncertain?: UncertainPolicy;
  /** Default 'unknown'. */
  blank?: BlankPolicy;
}

/** How to read the rows of one particular sheet. */
export interface SheetPlan {
  classes: readonly string[];
  imageColumn: number;
  /** −1 where the layout has none. */
  patientColumn: number;
  splitColumn: number;
  /** The patient's identifier as written, '' when there is none. */
  patientOf(record: readonly string[]): string;
  /** Writes `classes.length` labels (0, 1, NaN) of record `index` at `out[offset]`. */
  writeLabels(index: number, out: Float32Array, offset: number): void;
  notes: string[];
}

export interface Layout {
  name: LayoutName;
  title: string;
  matches(header: readonly string[]): boolean;
  plan(sheet: Sheet, options: LayoutOptions): SheetPlan;
}

/** NIH ChestX-ray14's findings, in the order of the data set's paper (Wang et al. 2017) and of CheXNet's lists. */
export const nihFindings = [
  'Atelectasis',
  'Cardiomegaly',
  'Effusion',
  'Infiltration',
  'Mass',
  'Nodule',
  'Pneumonia',
  'Pneumothorax',
  'Consolidation',
  'Edema',
  'Emphysema',
  'Fibrosis',
  'Pleural_Thickening',
  'Hernia',
] as const;

/** `ImageID, StudyDate_DICOM, PatientID`, then a column of 0/1 per class; an evaluation file leaves those empty. */
const cxrlt: Layout = {
  name: 'cxrlt',
  title: 'CXR-LT challenge',
  matches: (header) => hasAll(header, ['ImageID', 'StudyDate_DICOM', 'PatientID']),
  plan: (sheet, options) => {
    const available = sheet.header.filter((name) => !isDescriptiveColumn(name));
    return columnPlan(sheet, options, options.classes ?? available, 'ImageID', 'PatientID');
  },
};

/** `Image Index`, `Finding Labels` joined by "|" (or "No Finding"), `Patient ID`. */
const nih: Layout = {
  name: 'nih',
  title: 'NIH ChestX-ray14',
  matches: (header) => hasAll(header, ['Image Index', 'Finding Labels']),
  plan: (sheet, options) => {
    const findings = requireColumn(sheet, 'Finding Labels');
    const classes = options.classes ?? nihFindings;
    for (const name of classes) {
      if (!nihFindings.some((finding) => finding === name)) throw unknownClass(sheet, name, nihFindings);
    }
    const places = ids(sheet, options, 'Image Index', 'Patient ID');
    return {
      ...places,
      classes,
      patientOf: cellOf(places.patientColumn),
      writeLabels: (index, out, offset) => {
        const named = readFindings(sheet, index, findings);
        for (const [c, name] of classes.entries()) {
          out[offset + c] = named === null ? Number.NaN : named.has(name) ? 1 : 0;
        }
      },
      notes: [],
    };
  },
};

/** `Path, Sex, Age, Frontal/Lateral, AP/PA`, then labels 1, 0, −1 (uncertain) or blank; the patient is in the path. */
const chexpert: Layout = {
  name: 'chexpert',
  title: 'CheXpert',
  matches: (header) => hasAll(header, ['Path', 'Frontal/Lateral']),
  plan: (sheet, options) => {
    const available = sheet.header.filter((name) => !isDescriptiveColumn(name));
    const plan = columnPlan(sheet, options, options.classes ?? available, 'Path', undefined);
    if (plan.patientColumn >= 0) return plan;
    const path = cellOf(plan.imageColumn);
    return { ...plan, patientOf: (record) => /(?:^|[/\\])(patient\d+)[/\\]/i.exec(path(record))?.[1] ?? '' };
  },
};

/** The rows that npz-sheet.ts makes of an archive: image, split, then a column a class. */
const medmnist: Layout = {
  name: 'medmnist',
  title: 'MedMNIST archive',
  matches: (header) => header[0] === NPZ_IMAGE_COLUMN,
  plan: (sheet, options) =>
    columnPlan(sheet, options, options.classes ?? sheet.header.slice(2), NPZ_IMAGE_COLUMN, undefined),
};

/** Any CSV with an image column and 0/1/blank columns. */
const plain: Layout = {
  name: 'plain',
  title: 'plain CSV',
  matches: () => true,
  plan: (sheet, options) => {
    const inferred = options.classes === undefined ? inferLabelColumns(sheet) : undefined;
    const classes = options.classes ?? inferred?.classes ?? [];
    if (classes.length === 0 && options.unlabelled !== true) {
      throw new TableError(
        `no column holds labels (only 0, 1 or blank); the columns are ${list(sheet.header)}.`,
        { path: sheet.path, line: 1 },
      );
    }
    const plan = columnPlan(sheet, options, classes, undefined, undefined);
    plan.notes.push(...(inferred?.notes ?? []));
    return plan;
  },
};

/** In the order in which they are tried. */
export const layouts: readonly Layout[] = [nih, chexpert, cxrlt, medmnist, plain];

function columnPlan(
  sheet: Sheet,
  options: LayoutOptions,
  classes: readonly string[],
  imageName: string | undefined,
  patientName: string | undefined,
): SheetPlan {
  const places = ids(sheet, options, imageName, patientName);
  const missing: string[] = [];
  const columnOf = new Map(sheet.header.map((name, column) => [name, column]));
  const columns = classes.map((name) => {
    const at = columnOf.get(name);
    if (at !== undefined) return at;
    if (options.unlabelled !== true) throw unknownClass(sheet, name, labelLike(sheet.header));
    missing.push(name);
    return -1;
  });
  const blank = options.blank ?? 'unknown';
  const uncertain = options.uncertain ?? 'unknown';
  const notes =
    missing.length > 0 ? [`no column for ${list(missing)}: those labels are taken as unknown.`] : [];
  return {
    ...places,
    classes,
    patientOf: cellOf(places.patientColumn),
    writeLabels: (index, out, offset) => {
      for (const [c, column] of columns.entries()) {
        const text = column < 0 ? '' : (sheet.records[index]?.[column] ?? '');
        const cell = readLabelCell(text);
        if (cell === 'invalid') throw badLabel(sheet, index, column, text);
        out[offset + c] = column < 0 ? Number.NaN : labelValue(cell, blank, uncertain);
      }
    },
    notes,
  };
}

function ids(
  sheet: Sheet,
  options: LayoutOptions,
  imageName: string | undefined,
  patientName: string | undefined,
): { imageColumn: number; patientColumn: number; splitColumn: number } {
  const image = options.imageColumn ?? imageName;
  const imageColumn = image === undefined ? guessImageColumn(sheet) : requireColumn(sheet, image);
  const patientColumn =
    options.patientColumn !== undefined
      ? requireColumn(sheet, options.patientColumn)
      : patientName === undefined
        ? findPatientColumn(sheet.header)
        : findColumn(sheet.header, patientName);
  return { imageColumn, patientColumn, splitColumn: findSplitColumn(sheet.header) };
}

function guessImageColumn(sheet: Sheet): number {
  const named = findImageColumn(sheet.header);
  if (named >= 0) return named;
  const sample = sheet.records.slice(0, 100);
  const byContent = sheet.header.findIndex((_, column) =>
    sample.every((record) => /\.(?:png|jpe?g|dcm)$/i.test((record[column] ?? '').trim())),
  );
  if (byContent >= 0) return byContent;
  throw new TableError(
    `no column names the images; the columns are ${list(sheet.header)}. Say which one does (imageColumn).`,
    { path: sheet.path, line: 1 },
  );
}

/** The findings of one row; null when the cell is blank (unknown). */
function readFindings(sheet: Sheet, index: number, column: number): Set<string> | null {
  const text = (sheet.records[index]?.[column] ?? '').trim();
  if (text === '') return null;
  const names = new Set(text.split('|').map((name) => name.trim()));
  const place = {
    path: sheet.path,
    line: sheet.lines[index] ?? 0,
    column: sheet.header[column] ?? '',
    value: text,
  };
  for (const name of names) {
    if (name !== 'No Finding' && !nihFindings.some((finding) => finding === name)) {
      throw new TableError(`unknown finding "${name}"; NIH's are ${list(nihFindings)}, No Finding.`, place);
    }
  }
  if (names.has('No Finding') && names.size > 1) {
    throw new TableError(`"${text}" says No Finding and a finding at once.`, place);
  }
  return names;
}

function unknownClass(sheet: Sheet, name: string, available: readonly string[]): TableError {
  return new TableError(`there is no class "${name}"; there are ${list(available)}.`, {
    path: sheet.path,
    line: 1,
    value: name,
  });
}

function requireColumn(sheet: Sheet, name: string): number {
  const at = findColumn(sheet.header, name);
  if (at >= 0) return at;
  throw new TableError(`there is no column "${name}"; there are ${list(sheet.header)}.`, {
    path: sheet.path,
    line: 1,
    value: name,
  });
}

function cellOf(column: number): (record: readonly string[]) => string {
  return (record) => (column < 0 ? '' : (record[column] ?? '').trim());
}

function labelLike(header: readonly string[]): string[] {
  return header.filter((name) => !isDescriptiveColumn(name));
}

function hasAll(header: readonly string[], names: readonly string[]): boolean {
  return names.every((name) => header.includes(name));
}
