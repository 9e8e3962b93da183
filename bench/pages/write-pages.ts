import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from '../bench-error.js';
import { PAGE_TABLES } from './page-tables.js';

/** The pages with tables of measurements, as kept results make them, by path from the project's folder. */
export function pagesFromResults(root: string): Map<string, string> {
  const pages = new Map<string, string>();
  for (const { page, name, write } of PAGE_TABLES) {
    const text = pages.get(page) ?? readFileSync(join(root, page), 'utf8');
    pages.set(page, between(text, page, name, write(join(root, 'bench/results'))));
  }
  return pages;
}

/** @returns the paths of pages that have changed */
export function writePages(root: string): string[] {
  const changed: string[] = [];
  for (const [page, text] of pagesFromResults(root)) {
    const path = join(root, page);
    if (readFileSync(path, 'utf8') === text) continue;
    writeFileSync(path, text);
    changed.push(page);
  }
  return changed;
}

/** @throws BenchError where the page lacks the markers */
function between(text: string, page: string, name: string, content: string): string {
  const [start, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) {
    throw new BenchError(
      `${page} has no place for the table "${name}": ${start} and, below it, ${end} are missing`,
    );
  }
  return `${text.slice(0, from + start.length)}\n\n${content}\n\n${text.slice(to)}`;
}
