import { readSheet, readTextFile, type Sheet } from '../../data/tables/csv-sheet.js';
import { cellText } from '../../data/tables/csv-text.js';
import { IN_DISTRIBUTION, OUT_OF_DISTRIBUTION } from '../../data/tables/findings.js';
import { isFloatMangled } from '../../data/tables/patient-ids.js';
import { readTable } from '../../data/tables/table.js';
import { isDescriptiveColumn } from '../../data/tables/table-columns.js';
import { counted } from '../../text/numbers.js';

/**
 * Whether a submission is as the challenge wants it: its columns, and one row of probabilities for each image of the
 * evaluation table, in the table's order.
 */

export interface SubmissionProblem {
  /** 1-based line of the submission; null where the problem is a row that is not there. */
  readonly line: number | null;
  readonly text: string;
}

export interface SubmissionReport {
  /** Images that the table asks for. */
  readonly images: number;
  /** The columns that were expected behind ImageID, and where they come from. */
  readonly classes: readonly string[];
  readonly expected: string;
  /** In the order of the lines; empty: the submission is fine. */
  readonly problems: readonly SubmissionProblem[];
  /** Least and largest probability; null where there is none. */
  readonly range: readonly [least: number, largest: number] | null;
  /** Classes with the same number in all of several rows: allowed, and worth a look. */
  readonly constant: readonly string[];
}

export interface CheckSubmissionOptions {
  /** The evaluation table, whose images are asked for. */
  readonly table: string;
  /** Absent: the columns that fit best, of Task 1, Task 2 and the table itself. */
  readonly task?: 1 | 2 | undefined;
}

/** @throws TableError where one of the files is no table at all */
export async function checkSubmission(
  path: string,
  { table, task }: CheckSubmissionOptions,
): Promise<SubmissionReport> {
  const { rows, classes } = await readTable(table, { unlabelled: true });
  // columns without a label are no labels to a reader of tables, and here they are what is asked for
  const own =
    classes.length > 0
      ? classes
      : (await readSheet(table)).header.filter((name) => !isDescriptiveColumn(name));
  const sheet = await readSheet(path);
  const header = sheet.header.map(cellText);
  const columns = chooseColumns(header, own, task);
  const wanted = rows.map(({ image }) => image);
  const numbers = checkNumbers(sheet, header, columns.classes);
  const problems = [
    ...(await checkSeparator(path)),
    ...checkHeader(header, columns),
    ...(header.includes('ImageID') ? checkImages(sheet, header.indexOf('ImageID'), wanted) : []),
    ...numbers.problems,
  ];
  return {
    images: wanted.length,
    ...columns,
    problems: problems.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity)),
    range: numbers.range,
    constant: numbers.constant,
  };
}

interface ExpectedColumns {
  readonly classes: readonly string[];
  readonly expected: string;
}

function chooseColumns(
  header: readonly string[],
  own: readonly string[],
  task: 1 | 2 | undefined,
): ExpectedColumns {
  const candidates: ExpectedColumns[] = [
    { classes: IN_DISTRIBUTION, expected: 'Task 1' },
    { classes: OUT_OF_DISTRIBUTION, expected: 'Task 2' },
    ...(own.length > 0 ? [{ classes: own, expected: 'the table' }] : []),
  ];
  const given = new Set(header.filter((name) => name !== 'ImageID'));
  const likeness = ({ classes }: ExpectedColumns) => {
    const shared = classes.filter((name) => given.has(name)).length;
    return shared / (classes.length + given.size - shared);
  };
  const chosen =
    task === undefined
      ? candidates.reduce((best, each) => (likeness(each) > likeness(best) ? each : best))
      : candidates[task - 1];
  return chosen ?? { classes: own, expected: 'the table' };
}

/** Other separators are read here, and not by the challenge. */
async function checkSeparator(path: string): Promise<SubmissionProblem[]> {
  const [first = ''] = (await readTextFile(path)).split('\n', 1);
  if (first.includes(',')) return [];
  const found = first.includes(';') ? 'semicolons' : first.includes('\t') ? 'tabs' : undefined;
  return found === undefined ? [] : [{ line: 1, text: `${found} between the columns: commas are expected.` }];
}

function checkHeader(header: readonly string[], { classes, expected }: ExpectedColumns): SubmissionProblem[] {
  const wanted = ['ImageID', ...classes];
  const problems: SubmissionProblem[] = [];
  for (const name of wanted) {
    if (header.includes(name)) continue;
    const near = header.find((each) => each.trim().toLowerCase() === name.toLowerCase());
    const hint = near === undefined ? '' : `; "${near}" is spelt otherwise`;
    problems.push({ line: 1, text: `column "${name}" of ${expected} is missing${hint}.` });
  }
  for (const name of header) {
    if (!wanted.includes(name))
      problems.push({ line: 1, text: `column "${name}" is not one of ${expected}.` });
  }
  if (problems.length > 0) return problems;
  const at = wanted.findIndex((name, c) => header[c] !== name);
  if (at < 0) return [];
  return [
    {
      line: 1,
      text: `column ${at + 1} is "${header[at]}" where "${wanted[at]}" is expected: the columns are in another order than those of ${expected}.`,
    },
  ];
}

function checkImages(sheet: Sheet, column: number, wanted: readonly string[]): SubmissionProblem[] {
  const problems: SubmissionProblem[] = [];
  const places = new Map(wanted.map((image, place) => [image, place]));
  const firstLine = new Map<string, number>();
  const order: { place: number; line: number; image: string }[] = [];
  for (const [i, record] of sheet.records.entries()) {
    const line = sheet.lines[i] ?? 0;
    const image = cellText((record[column] ?? '').trim());
    const first = firstLine.get(image);
    const place = places.get(image);
    if (first !== undefined)
      problems.push({ line, text: `image "${image}" stands on line ${first} already.` });
    else if (place === undefined) problems.push({ line, text: unasked(image, places) });
    else order.push({ place, line, image });
    if (first === undefined) firstLine.set(image, line);
  }
  for (const [place, image] of wanted.entries()) {
    if (!firstLine.has(image)) {
      problems.push({ line: null, text: `image "${image}" has no row (the table's row ${place + 1}).` });
    }
  }
  const displaced = order.find(({ place }, i) => i > 0 && place < (order[i - 1]?.place ?? 0));
  if (displaced) {
    problems.push({
      line: displaced.line,
      text: `image "${displaced.image}" stands before the image above it in the table: the rows are in another order.`,
    });
  }
  return problems;
}

/** With the likely reason. */
function unasked(image: string, places: ReadonlyMap<string, number>): string {
  if (image === '') return 'the image is not named.';
  if (isFloatMangled(image)) {
    return `"${image}" is a number with an exponent: a spreadsheet has taken digits off the identifier, so write the file without one.`;
  }
  const [stem = ''] = image.split(/\.(?:png|jpe?g|dcm)$/i);
  const near = [stem, `${stem}.png`, `${stem}.jpg`, image.split('/').at(-1) ?? ''].find((each) =>
    places.has(each),
  );
  return `image "${image}" is not asked for${near === undefined ? '' : `; the table has "${near}"`}.`;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Every cell of the expected columns. */
function checkNumbers(
  { records, lines }: Sheet,
  header: readonly string[],
  classes: readonly string[],
): Pick<SubmissionReport, 'problems' | 'range' | 'constant'> {
  const problems: SubmissionProblem[] = [];
  const columns = [...header.entries()].filter(([, name]) => classes.includes(name));
  const ranges = columns.map(() => ({ least: Number.POSITIVE_INFINITY, largest: Number.NEGATIVE_INFINITY }));
  for (const [i, record] of records.entries()) {
    for (const [c, [column, name]] of columns.entries()) {
      const cell = (record[column] ?? '').trim();
      const reason = whyNoProbability(cell);
      if (reason !== null) problems.push({ line: lines[i] ?? 0, text: `column "${name}": ${reason}` });
      const range = ranges[c];
      if (reason !== null || range === undefined) continue;
      range.least = Math.min(range.least, Number(cell));
      range.largest = Math.max(range.largest, Number(cell));
    }
  }
  const known = ranges.filter(({ least, largest }) => least <= largest);
  return {
    problems,
    range:
      known.length === 0
        ? null
        : [Math.min(...known.map(({ least }) => least)), Math.max(...known.map(({ largest }) => largest))],
    constant:
      records.length < 2
        ? []
        : columns.flatMap(([, name], c) => (ranges[c]?.least === ranges[c]?.largest ? [name] : [])),
  };
}

function whyNoProbability(cell: string): string | null {
  if (cell === '') return 'the cell is empty.';
  if (/^[+-]?nan$/i.test(cell)) return 'NaN is no number.';
  if (!NUMBER.test(cell)) return `"${cell}" is no number.`;
  const value = Number(cell);
  return value >= 0 && value <= 1 ? null : `${cell} is not between 0 and 1.`;
}

/** At most this many problems are told. */
const TOLD = 20;

/** The report for a person: its problems, or a summary where there are none. */
export function describeSubmission(path: string, report: SubmissionReport): string {
  const { images, classes, expected, problems, range, constant } = report;
  const remarks = constant.length > 0 ? [`the same number in every row: ${constant.join(', ')}`] : [];
  if (problems.length === 0) {
    const from = range === null ? '' : `, probabilities from ${range[0]} to ${range[1]}`;
    return [
      `${path} is fine: ${counted(images, 'image')} in the table's order, the ${counted(classes.length, 'column')} of ${expected}${from}.`,
      ...remarks,
    ].join('\n');
  }
  const told = problems
    .slice(0, TOLD)
    .map(({ line, text }) => (line === null ? text : `line ${line}: ${text}`));
  const more = problems.length - told.length;
  return [
    `${path}: ${counted(problems.length, 'problem')}, held against ${counted(images, 'image')} and the ${counted(classes.length, 'column')} of ${expected}.`,
    ...told,
    ...(more > 0 ? [`and ${counted(more, 'more', 'more')}.`] : []),
    ...remarks,
  ].join('\n');
}
