import { NOTHING } from './numbers.js';
import { columnWidths, styledTable } from './padded-table.js';
import { shorten, shortenInMiddle } from './shorten.js';
import { type Line, plainText, type Text } from './styled.js';

/**
 * A table that fits into a width, such as a terminal's. Where there is too little room, four things happen one after
 * another until it fits:
 *
 * 1. pictures (`draw`) become as small as they may,
 * 2. texts that may be shortened (`least`) are, to that width,
 * 3. columns are left out, in the order of their `leave`; texts and pictures get back the room that this makes,
 * 4. texts are shortened further, to 8 characters.
 *
 * A column that may be left out is, wherever none of its cells says anything. A table that is too wide even then stays so: there
 * is nothing in it to do without.
 */

export interface FittedColumn<Row> {
  /** Of a drawing, only its name. */
  readonly title: string;
  /** Cells stand on the right, as numbers do. */
  readonly right?: boolean;
  /** The first to be left out has the lowest number; absent for a column that always stays. */
  readonly leave?: number;
  /** Texts may be shortened to this width; absent where they may not. */
  readonly least?: number;
  /** Shortened in the middle instead of at the end. */
  readonly middle?: boolean;
  readonly content: ((row: Row) => Text) | Drawing<Row>;
}

/** A cell that is drawn as wide as there is room. */
export interface Drawing<Row> {
  readonly narrowest: number;
  readonly widest: number;
  /** In place of the column's title, such as a scale. */
  title(width: number): string;
  draw(row: Row, width: number): Text;
}

/** A line of titles and a line for each row. @param width most columns of text; infinite when absent */
export function fittedTable<Row>(
  columns: readonly FittedColumn<Row>[],
  rows: readonly Row[],
  width = Number.POSITIVE_INFINITY,
): Line[] {
  const measured = columns
    .filter((column) => saysSomething(column, rows))
    .map((column) => measure(column, rows));
  const chosen = choose(measured, width);
  const titles = chosen.map(({ column: { title, content }, width: own }) =>
    typeof content === 'function' ? shorten(title, Math.max(own, 1)) : content.title(own),
  );
  const lines = rows.map((row) => chosen.map(({ column, width: own }) => cellOf(column, row, own)));
  return styledTable([titles, ...lines], { right: (c) => chosen[c]?.column.right ?? false, gap: GAP });
}

const GAP = '  ';
/** Below this, names can't be told apart. */
const SHORTEST = 8;

interface Measured<Row> {
  readonly column: FittedColumn<Row>;
  /** Of its title and its widest cell, or as wide as it may be drawn. */
  readonly natural: number;
  /** To which it may be narrowed. */
  readonly least: number;
}

interface Chosen<Row> {
  readonly column: FittedColumn<Row>;
  readonly width: number;
}

function saysSomething<Row>({ leave, content }: FittedColumn<Row>, rows: readonly Row[]): boolean {
  if (leave === undefined || typeof content !== 'function') return true;
  return rows.some((row) => !['', NOTHING].includes(plainText(content(row))));
}

function measure<Row>(column: FittedColumn<Row>, rows: readonly Row[]): Measured<Row> {
  const { title, content, least } = column;
  if (typeof content !== 'function') {
    return { column, natural: content.widest, least: content.narrowest };
  }
  const [natural = 0] = columnWidths([[title], ...rows.map((row) => [content(row)])]);
  return { column, natural, least: Math.min(natural, least ?? natural) };
}

function choose<Row>(measured: readonly Measured<Row>[], width: number): Chosen<Row>[] {
  const fitting = narrow(measured, width);
  if (fitting) return fitting;
  const orders = measured.flatMap(({ column: { leave } }) => (leave === undefined ? [] : [leave]));
  if (orders.length > 0) {
    const first = Math.min(...orders);
    return choose(
      measured.filter(({ column: { leave } }) => leave !== first),
      width,
    );
  }
  const shorter = measured.map((each) =>
    each.column.least === undefined ? each : { ...each, least: Math.min(each.least, SHORTEST) },
  );
  return narrow(shorter, width) ?? shorter.map(({ column, least }) => ({ column, width: least }));
}

/** Drawings give way first, then texts, the widest before others; undefined where that is not enough. */
function narrow<Row>(measured: readonly Measured<Row>[], width: number): Chosen<Row>[] | undefined {
  const widths = measured.map(({ natural }) => natural);
  const gaps = GAP.length * Math.max(0, measured.length - 1);
  let excess = gaps + widths.reduce((sum, natural) => sum + natural, 0) - width;
  for (const drawn of [true, false]) {
    while (excess > 0) {
      const narrower = measured.flatMap(({ column, least }, c) => {
        const own = widths[c] ?? 0;
        return drawn === (typeof column.content !== 'function') && own > least ? [{ c, own }] : [];
      });
      const [widest] = narrower.sort((a, b) => b.own - a.own);
      if (widest === undefined) break;
      widths[widest.c] = widest.own - 1;
      excess--;
    }
  }
  if (excess > 0) return undefined;
  return measured.map(({ column }, c) => ({ column, width: widths[c] ?? 0 }));
}

function cellOf<Row>({ content, middle }: FittedColumn<Row>, row: Row, width: number): Text {
  if (typeof content !== 'function') return content.draw(row, width);
  const cell = content(row);
  const text = (middle ? shortenInMiddle : shorten)(plainText(cell), width);
  return typeof cell === 'string' ? text : { ...cell, text };
}
