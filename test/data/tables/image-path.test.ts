import { mkdir, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveImage } from '../../../src/data/tables/image-path.js';
import { temporaryFolder } from '../temporary-folder.js';

describe('an identifier becomes a file', () => {
  test.each([
    ['as written', 'a.png', 'a.png'],
    ['without extension', 'a', 'a.png'],
    ['JPEG', 'a', 'a.jpeg'],
    ['in images/', 'a.png', 'images/a.png'],
    ['in images/, without extension', 'p/a', 'images/p/a.JPG'],
    ['with folders', 'p1/s1/a.png', 'p1/s1/a.png'],
    ['with Windows’ separators', 'p1\\s1\\a.png', 'p1/s1/a.png'],
    ['with dots in its name', '1.2.840.113', '1.2.840.113.png'],
  ])('%s', async (_, id, file) => {
    const root = await temporaryFolder({ [file]: 'x' });
    expect(await resolveImage(root, id)).toBe(join(root, file));
  });

  test('an identifier that starts with the folder’s own name (CheXpert)', async () => {
    const root = await temporaryFolder({ 'train/p/a.jpg': 'x' });
    expect(await resolveImage(root, `${basename(root)}/train/p/a.jpg`)).toBe(join(root, 'train/p/a.jpg'));
  });

  test('the folder, its images/ and links within may be links', async () => {
    const real = await temporaryFolder({ 'a.png': 'x' });
    const root = await temporaryFolder();
    await symlink(real, join(root, 'link'));
    await symlink(real, join(root, 'images'));
    await symlink('a.png', join(real, 'b.png'));
    expect(await resolveImage(join(root, 'link'), 'a')).toBe(join(root, 'link', 'a.png'));
    expect(await resolveImage(root, 'a')).toBe(join(root, 'images', 'a.png'));
    expect(await resolveImage(real, 'b')).toBe(join(real, 'b.png'));
  });
});

describe('and never one outside the folder', () => {
  test.each([
    '../../etc/passwd',
    '../secret.png',
    'p/../../secret.png',
    'p/..',
    '..',
    '..\\secret.png',
    '/etc/passwd',
    'C:\\Windows\\win.ini',
    'c:secret.png',
    '\\\\server\\share\\a.png',
    'a.png\0.jpg',
    '',
  ])('%j', async (id) => {
    const outside = await temporaryFolder({ 'secret.png': 'x', 'root/p/a.png': 'x' });
    await expect(resolveImage(join(outside, 'root'), id)).rejects.toMatchObject({
      name: 'ImageError',
      kind: 'unsafePath',
    });
  });

  test('nor through a link to a file or folder', async () => {
    const outside = await temporaryFolder({ 'secret.png': 'x' });
    const root = await temporaryFolder();
    await symlink(join(outside, 'secret.png'), join(root, 'a.png'));
    await symlink(outside, join(root, 'p'));
    await expect(resolveImage(root, 'a.png')).rejects.toMatchObject({ kind: 'unsafePath' });
    await expect(resolveImage(root, 'p/secret.png')).rejects.toMatchObject({ kind: 'unsafePath' });
  });

  test('a folder, a dangling link and a missing file are missing', async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, 'd.png'));
    await symlink(join(root, 'nowhere'), join(root, 'l.png'));
    for (const id of ['d.png', 'l.png', 'no.png']) {
      await expect(resolveImage(root, id)).rejects.toMatchObject({ kind: 'missing', path: id });
    }
  });
});
