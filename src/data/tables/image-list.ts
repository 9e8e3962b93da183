import { readTextFile, TableError } from './csv-sheet.js';
import type { LabelTable } from './table.js';

/** Official splits come as text files with an image identifier a line (NIH: train_val_list.txt, test_list.txt). */

/** The identifiers of a list, in its order. @throws TableError for a missing, empty or binary file or a repeated line */
export async function readImageList(path: string): Promise<string[]> {
  const seen = new Map<string, number>();
  for (const [i, text] of (await readTextFile(path)).split('\n').entries()) {
    const image = text.trim();
    if (image === '') continue;
    const earlier = seen.get(image);
    if (earlier !== undefined) {
      throw new TableError(`"${image}" stands on line ${earlier} already.`, {
        path,
        line: i + 1,
        value: image,
      });
    }
    seen.set(image, i + 1);
  }
  if (seen.size === 0) throw new TableError('the list is empty.', { path });
  return [...seen.keys()];
}

export interface ListSplit<Name extends string> {
  /** Row indices per list, ascending. */
  readonly parts: Readonly<Record<Name, Int32Array>>;
  readonly notes: readonly string[];
}

/**
 * Deals the rows of a table out by lists of image identifiers.
 * Rows in no list are left out, and identifiers without a row are passed over; the notes count both.
 * @throws TableError when an image is in two lists
 */
export function splitByLists<Name extends string>(
  table: LabelTable,
  lists: Readonly<Record<Name, readonly string[]>>,
): ListSplit<Name> {
  const names = Object.keys(lists) as Name[];
  const listOf = new Map<string, Name>();
  for (const name of names) {
    for (const image of lists[name]) {
      const other = listOf.get(image);
      if (other !== undefined && other !== name) {
        throw new TableError(`"${image}" is in the lists ${other} and ${name} both.`, {
          path: table.path,
          value: image,
        });
      }
      listOf.set(image, name);
    }
  }
  const rows = new Map<Name, number[]>(names.map((name) => [name, []]));
  let unlisted = 0;
  for (const [index, row] of table.rows.entries()) {
    const name = listOf.get(row.image);
    if (name === undefined) unlisted++;
    else rows.get(name)?.push(index);
  }
  const found = table.rows.length - unlisted;
  const notes: string[] = [];
  if (unlisted > 0) notes.push(`${unlisted} of ${table.rows.length} rows are in no list and are left out.`);
  if (listOf.size > found) notes.push(`${listOf.size - found} of ${listOf.size} listed images have no row.`);
  const parts = Object.fromEntries(names.map((name) => [name, Int32Array.from(rows.get(name) ?? [])]));
  return { parts: parts as Record<Name, Int32Array>, notes };
}
