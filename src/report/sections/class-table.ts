import { count, NOTHING, percent, times } from '../../text/numbers.js';
import {
  type ClassFact,
  classSummary,
  type EvaluatedPart,
  type ExaminedRun,
  type PrimaryPart,
} from '../examine-run.js';
import { type Content, type Html, html } from '../html.js';
import { numbersTable, scrolling } from '../plots/plot-figure.js';
import { shownMetrics, withInterval } from '../shown-metrics.js';
import { metricBars, prevalenceBars } from './class-bar-plots.js';
import type { Section } from './section.js';

/** The long tail: every class from the most to the least common, as pictures and as a table, and the averages over them. */
export function classTable(run: ExaminedRun): Section | null {
  const { classes, primary } = run;
  if (classes.length === 0) return null;
  const content = html`<div class="grid2">${prevalenceBars(classes)}${primary !== null && metricBars(classes, primary)}</div>
<p class="legend">${(['head', 'medium', 'tail'] as const).map((group) => html`<span class="chip ${group}">${group}</span> `)}${primary !== null && html`<span class="guess-key"></span> guess <span class="whisker-key"></span> 95 % interval`}</p>
${table(run)}
<p class="fine">+: images labelled positive. ${primary !== null && reading(primary)}</p>
${primary !== null && [leftOut(primary), withoutInterval(primary, classes), averages(primary)]}`;
  return { key: 'classes', title: 'The long tail, class by class', content };
}

function table(run: ExaminedRun): Html {
  const { classes, primary } = run;
  const metrics = primary === null ? [] : shownMetrics(primary);
  const counts = ['Training share', 'Train +', 'Val +', 'Test +'];
  const [first, ...rest] = metrics.map(({ title }) => title);
  const titles = [...counts, ...(first === undefined ? [] : [first, 'AP ÷ guess', ...rest])];
  const on = primary === null ? '' : `, measured on ${primary.name}, with 95 % intervals`;
  return scrolling(
    'Every class',
    html`<table class="classes">
<caption>From most to least common in training${on}</caption>
<thead><tr><th scope="col">Class</th><th scope="col">Group</th>${titles.map((title) => html`<th scope="col" class="n">${title}</th>`)}</tr></thead>
<tbody>${classes.map((fact) => row(run, fact))}</tbody>
${primary !== null && meanRow(primary, counts.length + 1)}
</table>`,
  );
}

function row({ validation, test, primary }: ExaminedRun, fact: ClassFact): Html {
  const measures = primary?.measured.perClass[fact.index];
  const positives = (part: EvaluatedPart | null) =>
    count(part === null ? null : classSummary(part, fact).positives);
  const [ap, ...rest] =
    primary === null || measures === undefined
      ? []
      : shownMetrics(primary).map(({ of }) => withInterval(of(measures)));
  const cells: Content[] = [
    percent(fact.prevalence),
    count(fact.trainPositives),
    positives(validation),
    positives(test),
    ...(measures === undefined
      ? []
      : [html`<b>${ap}</b>`, times(measures.ap.estimate, measures.prevalence), ...rest]),
  ];
  return html`<tr><th scope="row">${fact.name}</th><td>${fact.group !== null && html`<span class="chip ${fact.group}">${fact.group}</span>`}</td>${cells.map((cell) => html`<td class="n">${cell}</td>`)}</tr>`;
}

function meanRow(part: PrimaryPart, before: number): Html {
  const { macro } = part.measured;
  const [ap, ...rest] = shownMetrics(part).map(({ of }) => withInterval(of(macro)));
  const { mAP, prevalenceGuess } = part.summary.macro;
  const cells: Content[] = [html`<b>${ap}</b>`, times(mAP, prevalenceGuess), ...rest];
  return html`<tfoot><tr><th scope="row">Mean of the classes that have it</th><td colspan="${before}"></td>${cells.map((cell) => html`<td class="n">${cell}</td>`)}</tr></tfoot>`;
}

function reading({ name, measured }: PrimaryPart): Html {
  return html`Guess: the prevalence on ${name}, which is the AP of scoring every image alike. ${measured.thresholds !== null && 'F1, fitted: at each class’s threshold with the best F1 on validation. '}Best F1 has its threshold chosen on the same images, so it flatters. Sens. at 90 % spec.: the share of positives found when 90 % of the negatives are left alone. Brier: mean squared error of the probability. ECE: expected calibration error, 15 bins of equal width, or of equally many images.`;
}

/** The same metrics over all classes in one number: as scikit-learn's `average=` has them. */
function averages(part: PrimaryPart): Html {
  const { macro, micro, weighted, groups } = part.measured;
  const metrics = shownMetrics(part);
  const rows = [
    { name: 'Macro: mean over classes', measures: macro },
    { name: 'Weighted by positives', measures: weighted },
    { name: 'Micro: all labels in one pool', measures: micro },
    ...part.groups.flatMap(({ name }) => {
      const measures = groups[name];
      return measures === undefined ? [] : [{ name: `Macro, ${name}`, measures }];
    }),
  ];
  return html`<h4>Averages over classes, with 95 % intervals</h4>${numbersTable(
    {
      columns: ['Average', ...metrics.map(({ title }) => title)].map((title) => ({ title })),
      rows: rows.map(({ name, measures }) => [name, ...metrics.map(({ of }) => withInterval(of(measures)))]),
    },
    'Averages over classes',
  )}`;
}

/** Classes that some mean leaves out, gathered by the missing metrics and the reason. */
function leftOut({ summary, name }: EvaluatedPart): Html {
  const gathered = new Map<string, string[]>();
  for (const { name: className, metrics, reason } of summary.leftOut) {
    const key = `${reason} on ${name} (no ${metrics.map((metric) => LABELS[metric]).join(', ')})`;
    gathered.set(key, [...(gathered.get(key) ?? []), className]);
  }
  if (gathered.size === 0) return html`<p class="fine">No class is left out of a mean.</p>`;
  return html`<p><b>Left out of the means:</b> ${[...gathered].map(
    ([key, names], i) => html`${i > 0 && '; '}${names.join(', ')}: ${key}`,
  )}.</p>`;
}

const LABELS = { mAP: 'AP', auroc: 'AUROC', f1: 'F1', bestF1: 'best F1', ece: 'ECE' } as const;

/** Classes that have a metric and no interval of it, gathered by the metrics and the reason. */
function withoutInterval(part: PrimaryPart, classes: readonly ClassFact[]): Html | null {
  const metrics = shownMetrics(part);
  const gathered = new Map<string, string[]>();
  for (const { name, index } of classes) {
    const measures = part.measured.perClass[index];
    if (measures === undefined) continue;
    const reasons = new Map<string, string[]>();
    for (const { title, of } of metrics) {
      const { estimate, whyMissing } = of(measures);
      if (whyMissing === null || Number.isNaN(estimate)) continue;
      reasons.set(whyMissing, [...(reasons.get(whyMissing) ?? []), title]);
    }
    for (const [reason, titles] of reasons) {
      const key = `${reason} (${titles.length === metrics.length ? 'all metrics' : titles.join(', ')})`;
      gathered.set(key, [...(gathered.get(key) ?? []), name]);
    }
  }
  if (gathered.size === 0) return null;
  return html`<p><b>Without an interval</b> (${NOTHING} below the value):</p><ul class="fine">${[...gathered].map(([key, names]) => html`<li>${names.join(', ')}: ${key}</li>`)}</ul>`;
}
