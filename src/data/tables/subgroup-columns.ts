import { foldColumnName } from './table-columns.js';

/** The columns of a table that part its images, so that a model can be measured on each part: sex, age, view, device. */

/** What is known of each image in one respect. */
export interface SubgroupColumn {
  /** Such as "sex". */
  readonly name: string;
  /** [rows]; null where it is not known. */
  readonly values: readonly (string | null)[];
}

/** Names of columns, folded, and how their cells are read. Several columns of one kind are read as one. */
const KINDS = [
  {
    name: 'sex',
    columns: ['sex', 'gender', 'patientsex', 'patientgender', 'patientsexdicom'],
    read: (cell: string) => SEXES[cell.toLowerCase()] ?? cell,
  },
  { name: 'age', columns: ['age', 'patientage'], read: ageBand },
  {
    name: 'view',
    columns: ['frontal/lateral', 'view', 'viewposition', 'projection', 'ap/pa'],
    read: (cell: string) => cell,
  },
  {
    name: 'device',
    columns: ['manufacturer', 'manufacturerdicom', 'manufacturermodelname', 'device', 'scanner'],
    read: (cell: string) => cell,
  },
] as const;

const SEXES: Readonly<Record<string, string>> = { f: 'female', female: 'female', m: 'male', male: 'male' };

/** Cells that say nothing. */
const BLANK = /^(?:|unknown|unk|u|nan|none|n\/?a|null|-)$/i;

/** One kind of subgroup in a table. */
export interface SubgroupReader {
  readonly name: string;
  /** @returns the row's subgroup, null where its cells say nothing */
  read(record: readonly string[]): string | null;
}

/**
 * The kinds of subgroups that a header has.
 * @param taken columns that are labels, whatever they are called
 */
export function findSubgroups(header: readonly string[], taken: readonly string[]): SubgroupReader[] {
  const labels = new Set(taken);
  const places = new Map(
    header.flatMap((name, at) => (labels.has(name) ? [] : [[foldColumnName(name), at] as const])),
  );
  return KINDS.flatMap(({ name, columns, read }): SubgroupReader[] => {
    const found = columns.flatMap((column) => places.get(column) ?? []);
    if (found.length === 0) return [];
    return [
      {
        name,
        read: (record) => {
          const cells = found.map((at) => (record[at] ?? '').trim()).filter((cell) => !BLANK.test(cell));
          return cells.length === 0 ? null : read(cells.join(' '));
        },
      },
    ];
  });
}

/** Years as `58`, `058Y` or `58.0`; months, weeks and days as DICOM has them, `010M`. */
function ageBand(cell: string): string | null {
  const [, digits = '', unit = 'Y'] = /^(\d+(?:\.\d+)?)\s*([YMWD]?)/i.exec(cell) ?? [];
  if (digits === '') return null;
  const years = /^[MWD]$/i.test(unit) ? 0 : Number(digits);
  // such as 414 in NIH's table, which nobody has lived
  if (years > 120) return null;
  if (years < 18) return 'under 18';
  if (years < 40) return '18 to 39';
  if (years < 60) return '40 to 59';
  return years < 80 ? '60 to 79' : '80 and over';
}
