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
export function columnWidths(rows: readonly (readonly string[])[], least: readonly number[] = []): number[] {
  const widths = [...least];
  for (const row of rows) {
    for (const [c, cell] of row.entries()) widths[c] = Math.max(widths[c] ?? 0, cell.length);
  }
  return widths;
}

/** A cell filled with spaces up to a width; a longer one stays as it is. */
export function padCell(cell: string, width: number, right = false): string {
  return right ? cell.padStart(width) : cell.padEnd(width);
}

/** A line for each row, without spaces at its end. */
export function paddedTable(
  rows: readonly (readonly string[])[],
  { right = () => false, gap = '  ', widths: least = [] }: TableLayout = {},
): string[] {
  const widths = columnWidths(rows, least);
  return rows.map((row) =>
    row
      .map((cell, c) => padCell(cell, widths[c] ?? 0, right(c)))
      .join(gap)
      .trimEnd(),
  );
}
