import { homedir } from 'node:os';
import { expect, test } from 'vitest';
import { withoutFolders } from '../../src/report/local-folders.js';

test.each([
  ['/data/nih/train.csv: 3 rows', 'train.csv: 3 rows'],
  ['there are none under /data/nih (name it)', 'there are none under nih (name it)'],
  ['/data/nih: no such file or folder.', 'nih: no such file or folder.'],
  ['/data/nih/images/a.png and /data/nih/b.png', 'a.png and b.png'],
  ['/data/nih2/x and /other/data/nih/y', '/data/nih2/x and /other/data/nih/y'],
  [`${process.cwd()}/runs/a/x`, 'runs/a/x'],
  [`${homedir()}/.cache/x`, '.cache/x'],
])('%s', (text, local) => {
  expect(withoutFolders(['/data/nih', '/data/nih/images', '/'])(text)).toBe(local);
});
