import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

test('only the doors of the package import its public index', async () => {
  const files = (await readdir(src, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const importing: string[] = [];
  for (const file of files) {
    const text = await readFile(`${src}/${file}`, 'utf8');
    const specifiers = Array.from(
      text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g),
      ([, path]) => path ?? '',
    );
    const paths = specifiers.map((path) => new URL(path, `file:///${file.replaceAll('\\', '/')}`).pathname);
    if (paths.includes('/index.js')) importing.push(file);
  }
  expect(importing.filter((file) => !/^cli[\\/]/.test(file))).toEqual(['index.ts']);
});
