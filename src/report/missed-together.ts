import { type ExaminedRun, inColumnOrder, type PrimaryPart } from './examine-run.js';
import { outcomeOf } from './samples/class-cases.js';
import { thresholdOf } from './thresholds.js';

/** Which other findings were there, or were raised, in the images in which one was missed. */

export interface MissedTogether {
  /** [classes], by column: images in which the class was missed. */
  readonly missed: Uint32Array;
  /** [classes]: images in which it was found. */
  readonly found: Uint32Array;
  /** [classes, classes]: of the missed ones of the row, those labelled with the class of the column. */
  readonly labelled: Uint32Array;
  /** [classes, classes]: of the found ones of the row, the same. */
  readonly labelledWhenFound: Uint32Array;
  /** [classes, classes]: of the missed ones of the row, those in which the class of the column was raised wrongly. */
  readonly raised: Uint32Array;
}

export function missedTogether(run: ExaminedRun, part: PrimaryPart): MissedTogether {
  const columns = inColumnOrder(run.classes);
  const width = columns.length;
  const thresholds = columns.map((fact) => thresholdOf(run, fact).value);
  const counts = {
    missed: new Uint32Array(width),
    found: new Uint32Array(width),
    labelled: new Uint32Array(width * width),
    labelledWhenFound: new Uint32Array(width * width),
    raised: new Uint32Array(width * width),
  };
  const add = (to: Uint32Array, at: number) => {
    to[at] = (to[at] ?? 0) + 1;
  };
  for (let row = 0; row < part.n; row++) {
    const outcomes = thresholds.map((threshold, c) => {
      const at = row * width + c;
      return outcomeOf(part.scores[at] ?? Number.NaN, part.targets[at] ?? Number.NaN, threshold);
    });
    for (const [c, outcome] of outcomes.entries()) {
      if (outcome !== 'missed' && outcome !== 'right') continue;
      add(outcome === 'missed' ? counts.missed : counts.found, c);
      for (let other = 0; other < width; other++) {
        if (other === c) continue;
        const at = c * width + other;
        if (part.targets[row * width + other] === 1) {
          add(outcome === 'missed' ? counts.labelled : counts.labelledWhenFound, at);
        }
        if (outcome === 'missed' && outcomes[other] === 'wrong') add(counts.raised, at);
      }
    }
  }
  return counts;
}
