import type { ClassMeasures } from '../../eval/metrics/class-measures.js';
import type { Interval } from '../../eval/metrics/interval.js';
import { count, decimals, percent, roundPercent, times } from '../../text/numbers.js';
import type { ClassFact, PrimaryPart } from '../examine-run.js';
import type { Html } from '../html.js';
import { classBars } from '../plots/class-bars.js';
import { plotFigure } from '../plots/plot-figure.js';
import { intervalWords } from '../shown-metrics.js';

/** Bars of every class: how common it is, and how well it is told, with an interval on each. */

export function prevalenceBars(classes: readonly ClassFact[]): Html | null {
  const known = classes.filter(({ prevalence }) => prevalence > 0);
  if (known.length === 0) return null;
  const least = Math.min(...known.map(({ prevalence }) => prevalence));
  const plot = classBars(
    classes.map(({ name, prevalence, group, trainPositives }) => ({
      name,
      value: prevalence > 0 ? prevalence : Number.NaN,
      tick: null,
      note: trainPositives === null ? percent(prevalence) : count(trainPositives),
      style: group ?? 'none',
    })),
    {
      scale: 'log',
      domain: [10 ** Math.floor(Math.log10(least) - 0.01), 1],
      label: 'share of training images (log scale), their number',
      format: roundPercent,
    },
    'How common each class is in training',
  );
  return plotFigure({
    caption: 'How common in training',
    plot,
    numbers: {
      columns: ['Class', 'Share of training images', 'Positive training images'].map((title) => ({ title })),
      rows: classes.map(({ name, prevalence, trainPositives }) => [
        name,
        percent(prevalence),
        count(trainPositives),
      ]),
    },
  });
}

interface MetricBars {
  readonly caption: string;
  /** Of the axis. */
  readonly label: string;
  of(measures: ClassMeasures): Interval;
  /** Of a guess, marked on the bar; absent: none. */
  readonly guess?: (measures: ClassMeasures) => number;
  /** Behind the bar; its value when absent. */
  readonly note?: (measures: ClassMeasures) => string;
  /** End of the axis; 1 when absent. */
  readonly most?: number;
}

/** All bars of the measured part, in the order in which a reader asks. */
export function metricBars(classes: readonly ClassFact[], part: PrimaryPart): Html[] {
  const { measured, name } = part;
  const fitted = measured.thresholds !== null;
  const highest = Math.max(
    0.02,
    ...measured.perClass.flatMap(({ ece: { estimate, high } }) => [estimate, high]).filter(Number.isFinite),
  );
  const bars: MetricBars[] = [
    {
      caption: 'Average precision against a prevalence guess',
      label: `average precision on ${name}, times its guess`,
      of: ({ ap }) => ap,
      guess: ({ prevalence }) => prevalence,
      note: ({ ap, prevalence }) =>
        Number.isNaN(ap.estimate)
          ? 'no positives'
          : `${decimals(ap.estimate, 2)} · ${times(ap.estimate, prevalence)}`,
    },
    {
      caption: 'AUROC',
      label: `AUROC on ${name}; a guess has 0.5`,
      of: ({ auroc }) => auroc,
      guess: () => 0.5,
    },
    {
      caption: fitted ? 'F1 at thresholds fitted on validation' : 'F1 at the best threshold, which flatters',
      label: `F1 on ${name}`,
      of: ({ fittedF1, bestF1 }) => fittedF1 ?? bestF1,
    },
    {
      caption: `Sensitivity at ${percent(measured.specificities[0], 0)} specificity`,
      label: `sensitivity on ${name}`,
      of: ({ sensitivity: [first], auroc }) => first ?? auroc,
    },
    {
      caption: 'Calibration error (ECE): less is better',
      label: `ECE on ${name}`,
      of: ({ ece }) => ece,
      most: highest,
    },
  ];
  return bars.map((each) => figure(classes, part, each));
}

function figure(
  classes: readonly ClassFact[],
  { measured }: PrimaryPart,
  { caption, label, of, guess, note, most = 1 }: MetricBars,
): Html {
  const rows = classes.flatMap((fact) => {
    const measures = measured.perClass[fact.index];
    return measures === undefined ? [] : [{ fact, measures, interval: of(measures) }];
  });
  const written = (measures: ClassMeasures, { estimate }: Interval) =>
    note?.(measures) ?? (Number.isNaN(estimate) ? 'not defined' : decimals(estimate, most < 0.5 ? 3 : 2));
  const plot = classBars(
    rows.map(({ fact, measures, interval }) => ({
      name: fact.name,
      value: interval.estimate,
      tick: guess?.(measures) ?? null,
      interval,
      note: written(measures, interval),
      style: fact.group ?? 'none',
    })),
    { scale: 'linear', domain: [0, most], nice: most !== 1, label },
    `${caption}: a bar for each class`,
  );
  return plotFigure({
    caption,
    plot,
    numbers: {
      columns: ['Class', 'Value', '95 % interval', ...(guess ? ['Guess'] : [])].map((title) => ({ title })),
      rows: rows.map(({ fact, measures, interval }) => [
        fact.name,
        decimals(interval.estimate),
        intervalWords(interval),
        ...(guess ? [decimals(guess(measures))] : []),
      ]),
    },
  });
}
