import { count } from '../../text/numbers.js';

/** Something about a data set that a person should know before training on it, and what to do about it. */
export interface Finding {
  /** `serious`: results would be wrong. `warning`: they may be worse, or less sure, than they look. `note`: good to know. */
  readonly level: FindingLevel;
  /** A sentence. */
  readonly what: string;
  /** Names, rows or files that it is about; null where the sentence says it all. */
  readonly where: string | null;
  /** A sentence; null where there is nothing to do. */
  readonly advice: string | null;
}

export type FindingLevel = (typeof LEVELS)[number];

/** Worst first. */
export const LEVELS = ['serious', 'warning', 'note'] as const;

/** In the place of patients' identifiers. */
export const NAMED_ON_DEMAND = 'named with --show-ids';

/** Worst first; within a level in the order given. */
export function worstFirst(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}

/** The first few names of a list: `a, b, c and 12 more`. */
export function some(names: readonly string[], most = 5): string {
  if (names.length <= most + 1) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${count(names.length - most)} more`;
}

/** The form of a verb that fits a number: `1 image lies`, `2 images lie`. */
export function agree(n: number, one: string, many: string): string {
  return n === 1 ? one : many;
}
