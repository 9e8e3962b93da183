import { dirname } from 'node:path';
import { percent } from '../../text/numbers.js';
import { isNpz, readNpzSheet } from '../npz/npz-sheet.js';
import { readSheet, type Sheet, TableError } from './csv-sheet.js';
import { list } from './label-columns.js';
import { examinePatientIds, type PatientIdFacts, patientKey, patientNotes } from './patient-ids.js';
import { findSubgroups, type SubgroupColumn } from './subgroup-columns.js';
import { readSplitName } from './table-columns.js';
import { type LayoutName, type LayoutOptions, layouts, type SheetPlan } from './table-layouts.js';

/**
 * A label table: which image has which findings, whatever file it came from. Everything downstream (splits, losses,
 * metrics, submissions) works on this shape, so a new source only has to produce one.
 */

export interface LabelTable {
  /** Where it was read from, for messages. */
  readonly path: string;
  readonly layout: LayoutName;
  readonly classes: readonly string[];
  readonly rows: readonly TableRow[];
  /** [rows, classes]: 1 present, 0 absent, NaN unknown (masked out of loss and metrics). */
  readonly labels: Float32Array;
  /** Columns that part the images, such as sex or view; absent, as an empty list, where the table has none. */
  readonly subgroups?: readonly SubgroupColumn[];
  /** What is odd about the patients' identifiers; null when the table names no patients. */
  readonly patientIds: PatientIdFacts | null;
  /** What a person should know before training on it, one sentence each. */
  readonly notes: readonly string[];
}

export interface TableRow {
  /** The image's identifier as written in the table. */
  readonly image: string;
  /** Key to group images of one person by; null when the table doesn't say. */
  readonly patient: string | null;
  /** 1-based line in the file. */
  readonly line: number;
  /** The split that the table itself assigns, if it has such a column. */
  readonly split: 'train' | 'validation' | 'test' | null;
}

export interface TableOptions extends LayoutOptions {
  /** Detected from the header when absent. */
  layout?: LayoutName;
}

/**
 * Reads a label table from a CSV file (plain or gzip) in the CXR-LT, NIH ChestX-ray14, CheXpert or plain layout, or from a
 * MedMNIST archive (.npz).
 * @throws TableError naming file, line, column and value of what cannot be used
 */
export async function readTable(path: string, options: TableOptions = {}): Promise<LabelTable> {
  const sheet = isNpz(path) ? await readNpzSheet(path, options.classes) : await readSheet(path);
  const layout = layouts.find((candidate) =>
    options.layout === undefined ? candidate.matches(sheet.header) : candidate.name === options.layout,
  );
  if (layout === undefined) throw new TableError(`there is no layout "${options.layout}".`, { path });
  const asked = new Set<string>();
  const repeated = options.classes?.find((name) => asked.size === asked.add(name).size);
  if (repeated !== undefined) throw new TableError(`class "${repeated}" is asked for twice.`, { path });
  const plan = layout.plan(sheet, options);
  const how =
    options.layout !== undefined
      ? 'as told'
      : layout.name === 'plain'
        ? 'as no other layout fits its header'
        : 'recognised by its header';
  const table = assemble(sheet, layout.name, plan);
  return {
    ...table,
    notes: [
      `${path}: ${layout.title} layout (${how}), ${table.rows.length} images, ${table.classes.length} classes.`,
      ...plan.notes,
      ...table.notes,
      ...labelNotes(table),
    ],
  };
}

/** Where a table's pictures are unless a person says so: beside it, or inside the archive that it is. */
export function imageRootOf(path: string): string {
  return isNpz(path) ? path : dirname(path);
}

/** Per class, how often it is present and how often it is known at all (present or absent), over `indices` or all rows. */
export function countLabels(
  table: Pick<LabelTable, 'classes' | 'labels' | 'rows'>,
  indices: Iterable<number> = table.rows.keys(),
): { positives: Uint32Array; known: Uint32Array } {
  const classes = table.classes.length;
  const positives = new Uint32Array(classes);
  const known = new Uint32Array(classes);
  for (const index of indices) {
    for (let c = 0; c < classes; c++) {
      const label = table.labels[index * classes + c] ?? Number.NaN;
      if (Number.isNaN(label)) continue;
      known[c] = (known[c] ?? 0) + 1;
      if (label > 0) positives[c] = (positives[c] ?? 0) + 1;
    }
  }
  return { positives, known };
}

function assemble(sheet: Sheet, layout: LayoutName, plan: SheetPlan): LabelTable {
  const width = plan.classes.length;
  const labels = new Float32Array(sheet.records.length * width);
  const rows: TableRow[] = [];
  const rawPatients: string[] = [];
  const subgroups = findSubgroups(sheet.header, plan.classes).map((reader) => ({
    ...reader,
    values: [] as (string | null)[],
  }));
  const firstOf = new Map<string, number>();
  let repeats = 0;
  for (const [index, record] of sheet.records.entries()) {
    const line = sheet.lines[index] ?? 0;
    const image = (record[plan.imageColumn] ?? '').trim();
    if (image === '') {
      const column = sheet.header[plan.imageColumn] ?? '';
      throw new TableError('the image is not named.', { path: sheet.path, line, column, value: '' });
    }
    const rawPatient = plan.patientOf(record);
    const at = rows.length;
    plan.writeLabels(index, labels, at * width);
    const row = {
      image,
      patient: patientKey(rawPatient),
      line,
      split: plan.splitColumn < 0 ? null : readSplitName(record[plan.splitColumn] ?? ''),
    };
    const first = firstOf.get(image);
    if (first !== undefined) {
      refuseContradiction(sheet, plan, { first: rows[first], row, labels, firstAt: first, rowAt: at });
      repeats++;
      continue; // its labels are overwritten by the next row's
    }
    firstOf.set(image, at);
    rows.push(row);
    rawPatients.push(rawPatient);
    for (const { read, values } of subgroups) values.push(read(record));
  }
  const notes: string[] = [];
  if (repeats > 0) notes.push(`rows dropped because they say again what an earlier one says: ${repeats}.`);
  const patientIds = rawPatients.some((id) => id !== '')
    ? examinePatientIds(sheet.header[plan.patientColumn] ?? 'patient', rawPatients)
    : null;
  if (patientIds !== null) {
    notes.push(...patientNotes(patientIds));
  } else {
    notes.push('no column names the patient: images of one person cannot be kept on one side of a split.');
  }
  return {
    path: sheet.path,
    layout,
    classes: [...plan.classes],
    rows,
    labels: labels.slice(0, rows.length * width),
    ...(subgroups.length > 0 && { subgroups: subgroups.map(({ name, values }) => ({ name, values })) }),
    patientIds,
    notes,
  };
}

interface Repeat {
  first: TableRow | undefined;
  row: TableRow;
  labels: Float32Array;
  firstAt: number;
  rowAt: number;
}

/** A second row for one image is harmless when it says the same, and an error when it doesn't. */
function refuseContradiction(sheet: Sheet, plan: SheetPlan, repeat: Repeat): void {
  const { first, row, labels } = repeat;
  if (first === undefined) return;
  const width = plan.classes.length;
  const place = { path: sheet.path, line: row.line, value: row.image };
  for (const [c, name] of plan.classes.entries()) {
    const a = labels[repeat.firstAt * width + c];
    const b = labels[repeat.rowAt * width + c];
    if (!Object.is(a, b)) {
      throw new TableError(`image "${row.image}" has another label on line ${first.line}.`, {
        ...place,
        column: name,
      });
    }
  }
  if (first.patient !== row.patient || first.split !== row.split) {
    const what = first.patient !== row.patient ? 'patient' : 'split';
    throw new TableError(`image "${row.image}" has another ${what} on line ${first.line}.`, place);
  }
}

function labelNotes(table: LabelTable): string[] {
  if (table.classes.length === 0) return [];
  const { positives, known } = countLabels(table);
  const notes: string[] = [];
  const total = table.rows.length * table.classes.length;
  const unknown = total - known.reduce((sum, n) => sum + n, 0);
  if (unknown === total) {
    return ['no label is filled in: the table can be predicted on, not trained or evaluated on.'];
  }
  if (unknown > 0) {
    const share = percent(unknown / total, 1);
    notes.push(`${unknown} of ${total} labels (${share}) are unknown: masked out, never taken as absent.`);
  }
  const without = table.classes.filter((_, c) => positives[c] === 0);
  if (without.length > 0) {
    notes.push(`no image is positive for ${list(without)}: left out of every mean over classes.`);
  }
  return notes;
}
