import { type Sheet, TableError } from './csv-sheet.js';
import { readLabelCell } from './label-cell.js';
import { isDescriptiveColumn } from './table-columns.js';

/**
 * Which columns of an unknown CSV hold labels, judged by what stands in them. The danger is a label column that
 * vanishes quietly because of one typing error, so a column of 0 and 1 with a few strays is an error, not a skip.
 */

/** Label columns are those that hold 0, 1, −1 and blanks only, and at least one 0 or 1. */
export function inferLabelColumns(sheet: Sheet): { classes: string[]; notes: string[] } {
  const classes: string[] = [];
  const left: string[] = [];
  for (const [column, name] of sheet.header.entries()) {
    if (isDescriptiveColumn(name)) continue;
    const tally = tallyColumn(sheet, column);
    if (tally.invalid > 0) {
      // mostly 0 and 1 with a few strays is a damaged label column, and must not vanish quietly
      const stray = tally.invalid <= 0.01 * tally.labels || (tally.textual && tally.invalid < tally.labels);
      if (stray) throw badLabel(sheet, tally.firstInvalid, column);
      left.push(name);
    } else if (tally.labels > 0) {
      classes.push(name);
    } else {
      left.push(name);
    }
  }
  const notes = [`label columns were inferred from their values: ${list(classes)}.`];
  if (left.length > 0) notes.push(`not taken as labels: ${list(left)}.`);
  return { classes, notes };
}

/** The error for a cell that is no label. */
export function badLabel(sheet: Sheet, index: number, column: number, text?: string): TableError {
  const value = text ?? sheet.records[index]?.[column] ?? '';
  return new TableError(`"${value}" is not a label; 0, 1, −1 (uncertain) or blank (unknown) is.`, {
    path: sheet.path,
    line: sheet.lines[index] ?? 0,
    column: sheet.header[column] ?? '',
    value,
  });
}

/** Names for a message: the first 40, without the empty ones. */
export function list(names: readonly string[]): string {
  const shown = names.filter((name) => name !== '');
  if (shown.length === 0) return 'none';
  return shown.length <= 40
    ? shown.join(', ')
    : `${shown.slice(0, 40).join(', ')} and ${shown.length - 40} more`;
}

function tallyColumn(sheet: Sheet, column: number) {
  const tally = { labels: 0, invalid: 0, firstInvalid: 0, textual: false };
  for (const [index, record] of sheet.records.entries()) {
    const text = record[column] ?? '';
    const cell = readLabelCell(text);
    if (cell === 'absent' || cell === 'present') tally.labels++;
    if (cell !== 'invalid') continue;
    if (tally.invalid === 0) tally.firstInvalid = index;
    tally.invalid++;
    if (Number.isNaN(Number(text))) tally.textual = true;
  }
  return tally;
}
