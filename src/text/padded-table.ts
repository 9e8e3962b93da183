import { displayWidth } from './display-width.js';
import { type Line, plainLine, plainText, type Text } from './styled.js';

/** Tables whose columns line up in a font of equal widths. */

export interface TableLayout {
  /** Whether a column's cells stand on the right, as numbers do; none when absent. */
  readonly right?: (column: number) => boolean;
  /** Between two columns; two spaces when absent. */
  readonly gap?: string;
  /** Least widths; a column is at least as wide as its widest cell. */
  readonly widths?: readonly number[];
}

/** Width of the widest cell of each column. */
export function columnWidths(rows: readonly (readonly Text[])[], least: readonly number[] = []): number[] {
  const widths = [...least];
  for (const row of rows) {
    for (const [c, cell] of row.entries()) {
      widths[c] = Math.max(widths[c] ?? 0, displayWidth(plainText(cell)));
    }
  }
  return widths;
}

/** A cell filled with spaces up to a width; a longer one stays as it is. */
export function padCell(cell: string, width: number, right = false): string {
  const spaces = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return right ? `${spaces}${cell}` : `${cell}${spaces}`;
}

/** A line for each row, without spaces at its end. */
export function paddedTable(rows: readonly (readonly string[])[], layout?: TableLayout): string[] {
  return styledTable(rows, layout).map(plainLine);
}

/** The same of cells that have styles; spaces have none. */
export function styledTable(
  rows: readonly (readonly Text[])[],
  { right = () => false, gap = '  ', widths: least = [] }: TableLayout = {},
): Line[] {
  const widths = columnWidths(rows, least);
  return rows.map((row) => {
    const pieces = row.flatMap((cell, c): Text[] => {
      const spaces = ' '.repeat((widths[c] ?? 0) - displayWidth(plainText(cell)));
      return [c > 0 ? gap : '', ...(right(c) ? [spaces, cell] : [cell, spaces])];
    });
    return withoutEnd(pieces);
  });
}

/** Without empty pieces, and without spaces at the end. */
function withoutEnd(pieces: readonly Text[]): Line {
  const end = pieces.findLastIndex((piece) => plainText(piece).trimEnd() !== '');
  return pieces.slice(0, end + 1).flatMap((piece, i): Text[] => {
    if (plainText(piece) === '') return [];
    if (i < end) return [piece];
    const text = plainText(piece).trimEnd();
    return [typeof piece === 'string' ? text : { ...piece, text }];
  });
}
