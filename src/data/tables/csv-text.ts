/**
 * From rows of cells to the text of a CSV file. Names come from other people, and a spreadsheet runs a cell that begins
 * like a formula, so such a cell gets a `'` before it, which keeps it a text there; `cellText` takes it off again.
 */

/** As a spreadsheet takes the beginning of a formula, behind quotes that were there already. */
const FORMULA = /^'*[=+\-@\t\r\n]/;

/** One line a row, each ended by a line break. */
export function csvText(rows: readonly (readonly string[])[]): string {
  return rows.map((cells) => `${cells.map((cell) => quoted(guarded(cell))).join(',')}\n`).join('');
}

/** A cell of such a file as it was before; one of another's file as it is. */
export function cellText(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}

/** Numbers stay numbers: −1.5 is no formula. */
function guarded(cell: string): string {
  return FORMULA.test(cell) && !isNumber(cell) ? `'${cell}` : cell;
}

function isNumber(cell: string): boolean {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(cell);
}

/** Semicolons and tabs separate cells, too, for spreadsheets of some countries. */
function quoted(cell: string): string {
  return /[",;\t\r\n]/.test(cell) || cell.trim() !== cell ? `"${cell.replaceAll('"', '""')}"` : cell;
}
