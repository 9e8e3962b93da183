import { type ClassFact, classSummary, type ExaminedRun } from './examine-run.js';

/** The score from which on a class counts as found, where the report must say found or missed. */
export interface ClassThreshold {
  /** NaN for a class that has none, for want of positives. */
  readonly value: number;
  /** The part on which it gives the best F1: validation where it can, since a part's own threshold flatters it. */
  readonly from: 'validation' | 'test';
}

export function thresholdOf({ primary, validation }: ExaminedRun, fact: ClassFact): ClassThreshold {
  for (const part of [validation, primary]) {
    const value = part === null ? Number.NaN : classSummary(part, fact).bestThreshold;
    if (part !== null && Number.isFinite(value)) return { value, from: part.name };
  }
  return { value: Number.NaN, from: 'validation' };
}
