import { homedir } from 'node:os';
import { basename, dirname, resolve } from 'node:path';

/**
 * Takes the folders of this machine out of texts: a report is passed on, and where its data lay is nobody's business.
 * What lies in one of the folders is named from there, a folder itself by its name.
 * @param folders those that the texts may name; working and home directory are taken out in any case
 */
export function withoutFolders(folders: readonly string[]): (text: string) => string {
  const all = [...folders, process.cwd(), homedir()].flatMap((folder) => [resolve(folder), folder]);
  const distinct = [...new Set(all)].filter((folder) => dirname(folder) !== folder && folder.length > 1);
  // the longest first: what it holds is named from the nearest folder
  const patterns = distinct
    .sort((a, b) => b.length - a.length)
    .map((folder) => {
      const literal = folder.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      const inside = new RegExp(`${BEFORE}${literal}[\\\\/]+(?=[^\\s\\\\/])`, 'gu');
      const itself = new RegExp(`${BEFORE}${literal}(?![\\p{L}\\p{N}_-])`, 'gu');
      return { inside, itself, name: basename(folder) };
    });
  return (text) =>
    patterns.reduce(
      (left, { inside, itself, name }) => left.replace(inside, '').replace(itself, () => name),
      text,
    );
}

/** A folder begins where no name or other folder goes on. */
const BEFORE = '(?<![\\p{L}\\p{N}_./\\\\-])';
