/**
 * What one cell of a label column may say. A blank is *unknown*, never a negative: it is masked out of the loss and
 * of the metrics (CheXpert: "not mentioned"), unless the person reading the table decides otherwise by policy.
 */

/** What becomes of an uncertain label (−1 in CheXpert): masked out, taken as absent, or taken as present. */
export type UncertainPolicy = 'unknown' | 'zeros' | 'ones';

/** What becomes of a blank label: masked out, or taken as absent. */
export type BlankPolicy = 'unknown' | 'zeros';

export type LabelCell = 'absent' | 'present' | 'blank' | 'uncertain' | 'invalid';

/** Reads "0", "1", "1.0", "-1", "", "NaN", "NA", "null", "None"; anything else is 'invalid'. */
export function readLabelCell(text: string): LabelCell {
  // the first three cover nearly every cell of a table
  if (text === '0') return 'absent';
  if (text === '1') return 'present';
  if (text === '') return 'blank';
  const word = text.trim().toLowerCase();
  if (word === '' || blankWords.has(word)) return 'blank';
  const match = /^([+-]?)([01])(?:\.0*)?$/.exec(word);
  if (match === null) return 'invalid';
  if (match[2] === '0') return 'absent';
  return match[1] === '-' ? 'uncertain' : 'present';
}

/** 0, 1 or NaN (unknown). */
export function labelValue(
  cell: Exclude<LabelCell, 'invalid'>,
  blank: BlankPolicy,
  uncertain: UncertainPolicy,
): number {
  switch (cell) {
    case 'absent':
      return 0;
    case 'present':
      return 1;
    case 'blank':
      return blank === 'zeros' ? 0 : Number.NaN;
    case 'uncertain':
      return uncertain === 'unknown' ? Number.NaN : uncertain === 'ones' ? 1 : 0;
  }
}

const blankWords = new Set(['nan', 'na', 'n/a', 'null', 'none']);
