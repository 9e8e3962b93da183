import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSheet, TableError } from '../../../src/data/tables/csv-sheet.js';
import { temporaryFolder } from '../temporary-folder.js';

async function sheetOf(content: string | Uint8Array) {
  return readSheet(join(await temporaryFolder({ 't.csv': content }), 't.csv'));
}

async function refusal(content: string | Uint8Array): Promise<TableError> {
  const error = await sheetOf(content).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TableError);
  return error as TableError;
}

test('separators in the names of columns separate nothing', async () => {
  const sheet = await sheetOf('id,";;",";;;"\na.png,1,0\n');
  expect(sheet.header).toEqual(['id', ';;', ';;;']);
});

describe('a table survives what spreadsheets do to it', () => {
  const records = [
    ['a.png', '1'],
    ['b.png', '0'],
  ];
  test.each([
    ['plain', 'id,x\na.png,1\nb.png,0\n'],
    ['no last line break', 'id,x\na.png,1\nb.png,0'],
    ['byte order mark', '\uFEFFid,x\na.png,1\nb.png,0\n'],
    ['CRLF', 'id,x\r\na.png,1\r\nb.png,0\r\n'],
    ['old Mac breaks', 'id,x\ra.png,1\rb.png,0\r'],
    ['mixed breaks', 'id,x\na.png,1\r\nb.png,0\n'],
    ['semicolons', 'id;x\na.png;1\nb.png;0\n'],
    ['tabs', 'id\tx\na.png\t1\nb.png\t0\n'],
    ['blank lines', 'id,x\n\na.png,1\n\n\nb.png,0\n\n'],
    ['quotes', '"id","x"\n"a.png","1"\n"b.png","0"\n'],
    ['spaces in the header', ' id , x \na.png,1\nb.png,0\n'],
  ])('%s', async (_, text) => {
    const sheet = await sheetOf(text);
    expect(sheet.header).toEqual(['id', 'x']);
    expect(sheet.records).toEqual(records);
  });

  test('gzip, whatever the name says', async () => {
    expect((await sheetOf(gzipSync('id,x\na.png,1\n'))).records).toEqual([['a.png', '1']]);
  });

  test('quoted commas, quotes and line breaks; lines are the file’s', async () => {
    const sheet = await sheetOf('id,note\r\n"a,1.png","two\r\nlines"\r\nb.png,"say ""x"""\r\n\r\nc.png,\r\n');
    expect(sheet.records).toEqual([
      ['a,1.png', 'two\nlines'],
      ['b.png', 'say "x"'],
      ['c.png', ''],
    ]);
    expect([...sheet.lines]).toEqual([2, 4, 6]);
  });

  test('several unnamed columns, as pandas and NIH leave them', async () => {
    expect((await sheetOf(',id,x,\n0,a.png,1,\n')).header).toEqual(['', 'id', 'x', '']);
  });

  test('any table written with quotes comes back as it was', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', ';', '\n', '\r\n', 'é', ' ', '0') });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }), async (rows) => {
        const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const body = rows.map((row) => `${row.map(quote).join(',')}\r\n`);
        const sheet = await sheetOf(`id,x\r\n${body.join('')}`);
        expect(sheet.records).toEqual(rows.map((row) => row.map((text) => text.replaceAll('\r\n', '\n'))));
        let line = 2;
        for (const [i, text] of body.entries()) {
          expect(sheet.lines[i]).toBe(line);
          line += text.split(/\r\n|\n/).length - 1;
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('what is no table is refused with its place', () => {
  test('missing file and folder', async () => {
    const folder = await temporaryFolder();
    await expect(readSheet(join(folder, 'no.csv'))).rejects.toThrow(/no\.csv: no such file/);
    await expect(readSheet(folder)).rejects.toThrow(/is a folder/);
  });

  test.each([
    ['empty', '', /empty \(0 bytes\)/],
    ['only a byte order mark', '\uFEFF', /the file is empty/],
    ['only line breaks', '\n\n', /the file is empty/],
    ['only a header', 'id,x\n', /no row below/],
    ['UTF-16', Buffer.from('\uFEFFid,x\na,1\n', 'utf16le'), /UTF-16/],
    ['a workbook', Buffer.from('PK\x03\x04rest of the archive'), /zip archive/],
    ['zero bytes inside', 'id,x\na\0,1\n', /not text \(byte 6 is zero\)/],
    ['half a gzip file', gzipSync('id,x\na.png,1\n').subarray(0, 20), /damaged or oversized gzip/],
  ])('%s', async (_, content, message) => {
    expect((await refusal(content)).message).toMatch(message);
  });

  test('Latin-1 text, with its line', async () => {
    const error = await refusal(Buffer.from('id,x\na,1\nZ\xfcrich,1\n', 'latin1'));
    expect(error.message).toMatch(/line 3: is not UTF-8/);
    expect(error.line).toBe(3);
  });

  test('ragged rows', async () => {
    const error = await refusal('id,x\na.png,1\n\nb.png,1,0\n');
    expect(error.line).toBe(4);
    expect(error.message).toMatch(/3 fields where the header has 2/);
    expect((await refusal('id,x\na.png\n')).line).toBe(2);
  });

  test('duplicate columns, with both places', async () => {
    const error = await refusal('id,Mass,x, Mass\na.png,1,0,1\n');
    expect(error.column).toBe('Mass');
    expect(error.message).toMatch(/line 1, column "Mass": occurs twice \(fields 2 and 4\)/);
  });

  test('quotes out of place', async () => {
    expect((await refusal('id,x\na.png,1\n"b.png,0\nc.png,1\n')).message).toMatch(/quote/);
    expect((await refusal('id,x\na.png,1\n"b"png,0\n')).message).toMatch(/line 3: a quote/);
  });

  test('any bytes give a table or a TableError', async () => {
    const folder = await temporaryFolder();
    const { writeFile } = await import('node:fs/promises');
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ';', '1', '\uFEFF', '€') })
        .map((s) => Buffer.from(s)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (content) => {
        await writeFile(join(folder, 'f.csv'), content);
        try {
          const sheet = await readSheet(join(folder, 'f.csv'));
          for (const record of sheet.records) expect(record.length).toBe(sheet.header.length);
        } catch (error) {
          expect(error).toBeInstanceOf(TableError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
