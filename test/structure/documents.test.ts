import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './tools.js';

/** Every file that the documents name is there. */

const OURS = 'src|test|bench|scripts|docs|recipes|dist';
/** `src/engine/compile.ts`; no pattern with a star or a `<name>` in it, and no address. */
const PATH = new RegExp(`(?<![\\w/.~-])(?:${OURS})/[\\w./-]*\\w/?(?![\\w/*<{…-])`, 'g');
const LINK = /\]\((?!\w+:|#)([^)\s#]+)/g;

test('every path named in README.md, ARCHITECTURE.md and docs/ exists', async () => {
  const missing: string[] = [];
  for (const document of await documents()) {
    const text = await readFile(join(ROOT, document), 'utf8');
    const paths = Array.from(text.matchAll(PATH), ([path]) => sourceOf(path));
    const links = Array.from(text.matchAll(LINK), ([, link = '']) => join(dirname(document), link));
    for (const path of new Set([...paths, ...links])) {
      if (!existsSync(join(ROOT, path)) && !COMING.includes(path)) missing.push(`${document}: ${path}`);
    }
  }
  expect(missing).toEqual([]);
});

test('a path is found in prose, in a link and among words that are none', () => {
  const text =
    'See `src/a/b.ts` and [it](docs/c.md), not runs/src/x, https://x.org/docs/y or src/losses/<name>.ts, src/models/*.';
  expect(Array.from(text.matchAll(PATH), ([path]) => path)).toEqual(['src/a/b.ts', 'docs/c.md']);
  expect(Array.from(text.matchAll(LINK), ([, link]) => link)).toEqual(['docs/c.md']);
});

/** What is built is looked for where it is built from. */
function sourceOf(path: string): string {
  if (!path.startsWith('dist/')) return path;
  return path.startsWith('dist/bench')
    ? path.replace(/^dist\//, '').replace(/\.js$/, '.ts')
    : path.replace(/^dist/, 'src').replace(/\.js$/, '.ts');
}

async function documents(): Promise<string[]> {
  const pages = await readdir(join(ROOT, 'docs'), { recursive: true });
  const docs = pages.filter((path) => path.endsWith('.md')).map((path) => join('docs', path));
  return ['README.md', 'ARCHITECTURE.md', ...docs].map((path) => relative(ROOT, join(ROOT, path)));
}

/** Named already, and brought by changes that come next. */
const COMING: readonly string[] = [];
