import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TableError } from '../../../src/data/tables/csv-sheet.js';
import { readImageList, splitByLists } from '../../../src/data/tables/image-list.js';
import { tableNaming } from '../made-dataset.js';
import { temporaryFolder } from '../temporary-folder.js';

async function listOf(content: string | Uint8Array) {
  return readImageList(join(await temporaryFolder({ 'list.txt': content }), 'list.txt'));
}

test('one identifier a line, whatever the line breaks', async () => {
  expect(await listOf('\uFEFFb.png\r\na.png\n\n c.png \n')).toEqual(['b.png', 'a.png', 'c.png']);
});

test('missing, empty, binary and repeating lists are refused', async () => {
  await expect(readImageList('/no/such/list.txt')).rejects.toThrow(TableError);
  await expect(listOf('')).rejects.toThrow(/empty/);
  await expect(listOf('\n \n')).rejects.toThrow(/the list is empty/);
  await expect(listOf('a\0b\n')).rejects.toThrow(/not text/);
  await expect(listOf('a.png\nb.png\na.png\n')).rejects.toThrow(/line 3: "a\.png" stands on line 1/);
});

test('rows are dealt out; what matches nothing is counted', () => {
  const table = tableNaming(['a', 'b', 'c', 'd']);
  const { parts, notes } = splitByLists(table, { train: ['d', 'a', 'x'], test: ['b'] });
  expect([...parts.train]).toEqual([0, 3]);
  expect([...parts.test]).toEqual([1]);
  expect(notes).toEqual([
    '1 of 4 rows are in no list and are left out.',
    '1 of 4 listed images have no row.',
  ]);
  expect(() => splitByLists(table, { train: ['a'], test: ['a'] })).toThrow(
    /in the lists train and test both/,
  );
});
