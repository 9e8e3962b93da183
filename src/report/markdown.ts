import { columnWidths, padCell } from '../text/padded-table.js';
/**
 * Markdown with other people's texts in it: class names, file names and notes are escaped, so that none can begin a tag,
 * a link, a table cell or a heading of its own.
 */

/** A text as it is to be read, on one line. */
export function plain(text: string): string {
  // an underscore inside a word is no mark
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*{}[\]<>|#~$&]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, (character) => `\\${character}`);
}

/** A text in the font of code, such as a file's name. */
export function code(text: string): string {
  const line = text.replace(/\s+/g, ' ').replaceAll('|', '¦');
  const longest = Math.max(0, ...Array.from(line.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return longest > 0 ? `${fence} ${line} ${fence}` : `${fence}${line}${fence}`;
}

/** A block of code. */
export function block(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

export interface Column {
  readonly title: string;
  /** Numbers stand on the right. */
  readonly number?: boolean;
}

/** A table, its columns padded so that it can be read as text, too. Cells are Markdown already. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title);
  const widths = columnWidths(
    [titles, ...rows],
    columns.map(() => 3),
  );
  const line = (cells: readonly string[]) =>
    `| ${columns
      .map(({ number = false }, c) => padCell(cells[c] ?? '', widths[c] ?? 0, number))
      .join(' | ')} |`;
  const rule = columns.map(({ number = false }, c) => {
    const dashes = '-'.repeat((widths[c] ?? 3) - 1);
    return number ? `${dashes}:` : `:${dashes}`;
  });
  return [line(titles), line(rule), ...rows.map(line)].join('\n');
}

export function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
