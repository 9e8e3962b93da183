import { describe, expect, test } from 'vitest';
import { type ClassRow, classTable } from '../../../src/cli/text/class-table.js';
import { formatLines, type Output, terminalOf } from '../../../src/cli/text/terminal.js';
import { displayWidth } from '../../../src/text/display-width.js';

const TTY: Output = { isTTY: true, columns: 100 };
const PIPE = { isTTY: false } as Output;
const UTF8 = { LANG: 'en_US.UTF-8', TERM: 'xterm' };

describe('a terminal', () => {
  test('has its width and colours, and a pipe neither', () => {
    expect(terminalOf(TTY, UTF8)).toMatchObject({ width: 100, colour: true, unicode: true });
    expect(terminalOf(PIPE, UTF8)).toMatchObject({ width: Number.POSITIVE_INFINITY, colour: false });
    expect(terminalOf(PIPE, { ...UTF8, COLUMNS: '40' }).width).toBe(40);
    expect(terminalOf({ isTTY: true, columns: 0 }, UTF8).width).toBe(80);
  });

  test.each([
    [TTY, { NO_COLOR: '1' }, false],
    [TTY, { NO_COLOR: '' }, true],
    [TTY, { TERM: 'dumb' }, false],
    [TTY, { FORCE_COLOR: '0' }, false],
    [PIPE, { FORCE_COLOR: '1' }, true],
    [PIPE, { FORCE_COLOR: '', NO_COLOR: '1' }, true],
  ])('%o with %o has colours: %s', (stream, environment, colour) => {
    expect(terminalOf(stream, { ...UTF8, ...environment }).colour).toBe(colour);
  });

  test.each([
    [{}, false],
    [{ LANG: 'C' }, false],
    [{ LANG: 'C.UTF-8' }, true],
    [{ LANG: 'de_DE.utf8' }, true],
    [{ LANG: 'C.UTF-8', LC_ALL: 'POSIX' }, false],
    [{ LANG: 'C', LC_CTYPE: 'UTF-8' }, true],
  ])('of locale %o knows more than ASCII: %s', (environment, unicode) => {
    expect(terminalOf(TTY, environment, 'linux').unicode).toBe(unicode);
  });
});

const ROWS: ClassRow[] = [
  {
    name: 'Support Devices',
    group: 'head',
    positives: 1234,
    ap: 0.62,
    interval: { low: 0.55, high: 0.7 },
    auroc: 0.8,
  },
  {
    name: 'Pneumomediastinum',
    group: 'tail',
    positives: 3,
    ap: 0.04,
    interval: { low: 0.01, high: 0.3 },
    auroc: 0.7,
  },
  {
    name: 'evil \u001b[2J',
    group: 'medium',
    positives: 0,
    ap: Number.NaN,
    interval: null,
    auroc: Number.NaN,
  },
];

describe('classes on a terminal', () => {
  const at = (width: number, environment = {}) => {
    const terminal = { ...terminalOf(PIPE, { ...UTF8, ...environment }, 'linux'), width };
    return formatLines(classTable(ROWS, terminal), terminal).trimEnd().split('\n');
  };

  test('at 80 columns', () => {
    expect(at(80)).toEqual([
      'class              group   positives  0           1     AP  95 % interval  AUROC',
      'Support Devices    head        1,234  ████████─┤     0.620    0.550–0.700  0.800',
      'Pneumomediastinum  tail            3  ▌──┤           0.040    0.010–0.300  0.700',
      'evil \\u001b[2J     medium          0                     –                     –',
    ]);
  });

  test.each([40, 60, 80, 120])('fit into %i columns', (width) => {
    for (const line of at(width)) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  });

  test('at 40 columns have name, bar and average precision', () => {
    expect(at(40)[0]).toMatch(/^class +0 +1 +AP$/);
    expect(at(40)[2]).toMatch(/^Pneumomediastinum +▌───┤ +0\.040$/);
  });

  test('are ASCII where the locale is', () => {
    const text = at(120, { LANG: 'C' }).join('\n');
    expect(text).toMatch(/^[\n -~]*$/);
    expect(text).toContain('0.550-0.700');
  });

  test('come with sentences that are broken between words', () => {
    const terminal = { ...terminalOf(PIPE, UTF8), width: 20 };
    const text = formatLines(
      ['macro mAP    0.1823 (95 % interval)', ['a table is left as it is, whatever'], 'a\nb'],
      terminal,
    );
    expect(text).toBe('macro mAP    0.1823\n(95 % interval)\na table is left as it is, whatever\na\nb\n');
  });

  test('have no control character but the colours that are asked for', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
    const controls = /[\u0000-\u0009\u000b-\u001f]/;
    expect(at(120).join('\n')).not.toMatch(controls);
    expect(at(120).join('\n')).toContain('evil \\u001b[2J');
    const coloured = at(120, { FORCE_COLOR: '1' }).join('\n');
    expect(coloured).toContain('\u001b[34mhead\u001b[0m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
    expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(at(120).join('\n'));
  });
});
