import { describe, expect, test } from 'vitest';
import { ASCII, BLOCKS, bar } from '../../src/text/bar.js';
import { beginning, displayWidth, ending } from '../../src/text/display-width.js';
import { type FittedColumn, fittedTable } from '../../src/text/fitted-table.js';
import { padCell, styledTable } from '../../src/text/padded-table.js';
import { shorten, shortenInMiddle } from '../../src/text/shorten.js';
import { plainLine } from '../../src/text/styled.js';

describe('the width of a text', () => {
  test.each([
    ['Effusion', 8],
    ['Épanchement', 11],
    ['e\u0301', 1],
    ['胸腔积液', 8],
    ['気胸 a', 6],
    ['👩‍⚕️', 2],
    ['–−×…█', 5],
  ])('%s takes %i columns', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  test('is what texts are cut and padded by, and no character is cut in two', () => {
    expect(beginning('胸腔积液', 5)).toBe('胸腔');
    expect(ending('胸腔积液', 5)).toBe('积液');
    expect(shorten('胸腔积液', 6)).toBe('胸腔…');
    expect(shortenInMiddle('runs/胸腔积液', 9)).toBe('runs…积液');
    expect(shorten('ae\u0301e\u0301e\u0301', 3)).toBe('ae\u0301…');
    expect(padCell('胸', 4)).toBe('胸  ');
    expect(padCell('胸', 4, true)).toBe('  胸');
  });

  test('of a name as long as a file is not counted to its end', () => {
    const begun = process.cpuUsage();
    expect(shorten('胸'.repeat(5_000_000), 9)).toBe('胸胸胸胸…');
    expect(process.cpuUsage(begun).user).toBeLessThan(1e6);
  });
});

describe('a bar', () => {
  const none = { low: Number.NaN, high: Number.NaN };

  test('has eighths of a letter', () => {
    expect(bar({ value: 0, ...none }, 10)).toBe('');
    expect(bar({ value: 0.0125, ...none }, 10)).toBe('▏');
    expect(bar({ value: 0.55, ...none }, 10)).toBe('█████▌');
    expect(bar({ value: 1, ...none }, 10)).toBe('██████████');
    expect(bar({ value: Number.NaN, ...none }, 10)).toBe('');
  });

  test('is as long as its value, for all values and widths', () => {
    for (let width = 1; width < 30; width++) {
      for (let value = 0; value <= 1; value += 0.01) {
        const text = bar({ value, ...none }, width);
        const last = text.at(-1) ?? '';
        const drawn = text.length === 0 ? 0 : text.length - 1 + (BLOCKS.parts.indexOf(last) + 1) / 8;
        expect(Math.abs(drawn - value * width)).toBeLessThanOrEqual(1 / 16 + 1e-9);
      }
    }
  });

  test('marks the ends of its interval, where they can be told from its own end', () => {
    expect(bar({ value: 0.55, low: 0.31, high: 0.92 }, 10)).toBe('███├█▌───┤');
    expect(bar({ value: 0.55, low: 0.51, high: 0.59 }, 10)).toBe('█████▌');
    expect(bar({ value: 0.003, low: 0.001, high: 0.32 }, 10)).toBe('───┤');
    expect(bar({ value: 0.98, low: 0.5, high: 1 }, 10)).toBe('█████├███▊');
  });

  test('is of whole letters where the terminal knows ASCII only', () => {
    expect(bar({ value: 0.55, low: 0.31, high: 0.92 }, 10, ASCII)).toBe('###|##---|');
    expect(bar({ value: 0.54, ...none }, 10, ASCII)).toBe('#####');
  });

  test('never gets longer than its width', () => {
    for (const value of [-1, 0, 0.5, 0.999, 1, 2]) {
      expect(bar({ value, low: -3, high: 3 }, 7).length).toBeLessThanOrEqual(7);
    }
  });
});

describe('a table that has to fit', () => {
  interface Row {
    readonly name: string;
    readonly score: number;
  }
  const rows: Row[] = [
    { name: 'Pleural Effusion and more', score: 0.5 },
    { name: 'Hernia', score: 0.25 },
  ];
  const columns: FittedColumn<Row>[] = [
    { title: 'class', least: 12, content: ({ name }) => name },
    {
      title: 'bar',
      content: {
        narrowest: 4,
        widest: 12,
        title: (width) => `0${'1'.padStart(width - 1)}`,
        draw: ({ score }, width) => '#'.repeat(score * width),
      },
    },
    { title: 'AP', right: true, content: ({ score }) => score.toFixed(3) },
    { title: 'known', leave: 1, right: true, content: () => '1200' },
    { title: 'group', leave: 2, content: () => ({ text: 'head', style: 'head' }) },
  ];
  const at = (width?: number) => fittedTable(columns, rows, width).map(plainLine);

  test('is whole where there is room', () => {
    expect(at()).toEqual([
      'class                      0          1     AP  known  group',
      'Pleural Effusion and more  ######        0.500   1200  head',
      'Hernia                     ###           0.250   1200  head',
    ]);
    expect(at(60)).toEqual(at());
  });

  test('draws smaller, then shortens, then leaves out columns in their order, then shortens more', () => {
    expect(at(54)[1]).toBe('Pleural Effusion and more  ###     0.500   1200  head');
    expect(at(44)[1]).toBe('Pleural Effusion…  ##    0.500   1200  head');
    expect(at(36)[1]).toBe('Pleural Effusio…  ##    0.500  head');
    expect(at(28)[1]).toBe('Pleural Effusi…  ##    0.500');
    expect(at(21)[1]).toBe('Pleural…  ##    0.500');
  });

  test('is never wider than it is allowed to be, as far as it can', () => {
    for (let width = 21; width < 70; width++) {
      for (const line of at(width)) expect(displayWidth(line), `at ${width}`).toBeLessThanOrEqual(width);
    }
    expect(at(3)).toEqual(at(21));
  });

  test('has its styles on texts alone, not on the spaces between', () => {
    const [, first] = styledTable([
      ['a', 'bcd'],
      [{ text: 'x', style: 'alarm' }, 'y'],
    ]);
    expect(first).toEqual([{ text: 'x', style: 'alarm' }, '  ', 'y']);
  });
});
