import type { Interval } from '../eval/metrics/interval.js';
import type { Measures } from '../eval/metrics/score-sheet.js';
import { decimals, NOTHING, percent } from '../text/numbers.js';
import type { PrimaryPart } from './examine-run.js';
import { noInterval, range } from './format.js';
import { type Content, html } from './html.js';

/** The metrics of the report's tables, in their order, and how a value with its interval is written. */

export interface ShownMetric {
  readonly title: string;
  of(measures: Measures<Interval>): Interval;
}

export function shownMetrics({ measured }: Pick<PrimaryPart, 'measured'>): ShownMetric[] {
  const missing = (): Interval => {
    throw new RangeError('this metric was not measured');
  };
  return [
    { title: 'AP', of: ({ ap }) => ap },
    { title: 'AUROC', of: ({ auroc }) => auroc },
    { title: 'F1 at 0.5', of: ({ f1 }) => f1 },
    ...(measured.thresholds === null
      ? []
      : [{ title: 'F1, fitted', of: ({ fittedF1 }: Measures<Interval>) => fittedF1 ?? missing() }]),
    { title: 'Best F1', of: ({ bestF1 }) => bestF1 },
    ...measured.specificities.map((specificity, i) => ({
      title: `Sens. at ${percent(specificity, 0)} spec.`,
      of: ({ sensitivity }: Measures<Interval>) => sensitivity[i] ?? missing(),
    })),
    { title: 'Brier', of: ({ brier }) => brier },
    { title: 'ECE', of: ({ ece }) => ece },
    { title: 'ECE, equal mass', of: ({ eceMass }) => eceMass },
  ];
}

/** A value, and below it its interval: in the cell of a table. */
export function withInterval(interval: Interval): Content {
  return html`${decimals(interval.estimate)}${Number.isFinite(interval.estimate) && html`<span class="below">${range(interval)}</span>`}`;
}

/** An interval in words, or why there is none. */
export function intervalWords(interval: Interval): string {
  return noInterval(interval) ?? (Number.isFinite(interval.estimate) ? range(interval) : NOTHING);
}
