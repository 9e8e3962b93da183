import { visibleText } from '../../storage/visible-text.js';
import { ASCII, type BarLetters, BLOCKS } from '../../text/bar.js';
import { type FittedColumn, fittedTable } from '../../text/fitted-table.js';
import { type Line, plainText, type Style, type Text } from '../../text/styled.js';
import { wrap } from '../../text/wrap.js';

/** A terminal, or a pipe or file in its place: how wide it is, and whether it shows colours and more letters than ASCII. */
export interface Terminal {
  /** Infinite where lines go into a pipe or a file. */
  readonly width: number;
  readonly colour: boolean;
  readonly unicode: boolean;
  readonly bars: BarLetters;
}

/** What is asked of a stream. */
export type Output = Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>;

/**
 * FORCE_COLOR decides on colours before NO_COLOR, as in node; without both, terminals have colours, and nothing else has. COLUMNS says
 * how wide a pipe is to be taken for. A locale that is not UTF-8, or none at all, has ASCII.
 */
export function terminalOf(
  stream: Output = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): Terminal {
  const { FORCE_COLOR: forced, NO_COLOR: without, TERM: kind, COLUMNS: columns } = environment;
  const colour =
    forced === undefined
      ? !without && stream.isTTY === true && kind !== 'dumb'
      : !['0', 'false'].includes(forced);
  const wanted = Number(columns);
  const width = stream.isTTY ? stream.columns : wanted > 0 ? wanted : Number.POSITIVE_INFINITY;
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  const unicode = platform === 'win32' || /utf-?8/i.test(locale);
  // a terminal that doesn't know its width says 0
  return { width: width || 80, colour, unicode, bars: unicode ? BLOCKS : ASCII };
}

/**
 * From now on a stream shows control and bidirectional characters by their numbers, whoever writes to it: names from
 * tables and files reach a terminal from everywhere. Commands write none of their own but through `writeLines`. Not for
 * the stream of progress bars, which move the cursor.
 */
export function showHiddenCharacters(stream: NodeJS.WriteStream): void {
  // its forms differ in what may follow, which is handed on as it is
  const write = stream.write.bind(stream) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
  unfiltered.set(stream, write);
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) =>
    write(typeof chunk === 'string' ? visibleText(chunk) : chunk, ...rest);
}

const unfiltered = new WeakMap<NodeJS.WriteStream, (chunk: string) => boolean>();

/** A table as wide as the terminal at most; what is shown by numbers counts as wide as these. */
export function terminalTable<Row>(
  columns: readonly FittedColumn<Row>[],
  rows: readonly Row[],
  { width }: Pick<Terminal, 'width'>,
): Line[] {
  const visible = columns.map((column): FittedColumn<Row> => {
    const { content } = column;
    if (typeof content !== 'function') return column;
    return { ...column, content: (row) => visibleCell(content(row)) };
  });
  return fittedTable(visible, rows, width);
}

function visibleCell(cell: Text): Text {
  return typeof cell === 'string' ? visibleText(cell) : { ...cell, text: visibleText(cell.text) };
}

/** Writes lines with their styles as far as the terminal shows them; control characters in their texts stay visible. */
export function writeLines(
  lines: readonly (Line | string)[],
  terminal: Terminal = terminalOf(),
  stream: NodeJS.WriteStream = process.stdout,
): void {
  const text = formatLines(lines, terminal);
  const write = unfiltered.get(stream) ?? ((chunk: string) => stream.write(chunk));
  write(text);
}

/** The characters that are sent, with a line break after each line. A text that is too long is broken between words. */
export function formatLines(lines: readonly (Line | string)[], terminal: Terminal): string {
  const { width } = terminal;
  return lines
    .flatMap((line): Line[] => {
      if (typeof line !== 'string') return [line];
      // one that has lines of its own was laid out already
      return line.includes('\n') ? [[line]] : wrap(visibleText(line), width).map((part) => [part]);
    })
    .map((line) => `${line.map((piece) => format(piece, terminal)).join('')}\n`)
    .join('');
}

function format(piece: Text, { colour, unicode }: Terminal): string {
  const text = visibleText(plainText(piece));
  const shown = unicode ? text : text.replace(DRAWN, (letter) => IN_ASCII[letter] ?? letter);
  const style = typeof piece === 'string' ? undefined : piece.style;
  return colour && style ? `\u001b[${CODES[style]}m${shown}\u001b[0m` : shown;
}

/** Of the eight colours that every terminal has, in its own shades, so that they can be read on light and dark. */
const CODES: Readonly<Record<Style, string>> = {
  head: '34',
  medium: '32',
  tail: '33',
  good: '32',
  alarm: '31',
  muted: '2',
  strong: '1',
};

/** Letters that tables draw with, each as one of ASCII, so that columns still line up. */
const IN_ASCII: Readonly<Record<string, string>> = {
  '–': '-',
  '−': '-',
  '─': '-',
  '…': '~',
  '×': 'x',
  '·': '.',
  '→': '>',
  '≈': '~',
};
const DRAWN = new RegExp(`[${Object.keys(IN_ASCII).join('')}]`, 'g');
