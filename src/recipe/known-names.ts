import { count } from '../text/numbers.js';
import { shorten } from '../text/shorten.js';
import type { RecipeIssue } from './recipe-issue.js';

/**
 * Names that people wrote, held against those that there are: the known one that was probably meant. The work is bounded,
 * whatever the length and number of the names.
 */

/** A longer name is no slip of a known one, and is cut where it is shown. */
const LONGEST = 64;

/** Unknown names that are told one by one; of further ones, how many. */
const TOLD = 5;

/** `no setting "gamaNeg"; did you mean "gammaNeg"?`, or the known names where none is near. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  const shown = shorten(name, LONGEST);
  if (near !== undefined) return `there is no ${what} "${shown}"; did you mean "${near}"?`;
  return `there is no ${what} "${shown}"; there are ${known.join(', ')}`;
}

/** Which names are asked about, and where they stand. */
export interface KeyQuestion {
  /** `setting of asl` */
  readonly what: string;
  /** Of the section that has the keys. */
  readonly path: RecipeIssue['path'];
  readonly known: readonly string[];
}

/** An issue for each of the first few unknown keys of a section, and one that counts the others. */
export function unknownKeys(keys: readonly string[], { what, path, known }: KeyQuestion): RecipeIssue[] {
  const told = keys.slice(0, TOLD).map((key) => ({
    path: [...path, key],
    message: unknownName(what, key, known),
  }));
  const more = keys.length - told.length;
  if (more === 0) return told;
  return [...told, { path, message: `and ${count(more)} more that are no ${what} either` }];
}

/** The known name with the fewest edits from `name`, if that is few enough to be a slip. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined;
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= fewest) continue;
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

/** Levenshtein's distance, with a swap of neighbours counted as one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1] ?? [];
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
