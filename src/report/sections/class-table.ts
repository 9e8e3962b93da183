import { count, decimals, NOTHING, percent, roundPercent, times } from '../../text/numbers.js';
import {
  type ClassFact,
  classSummary,
  type EvaluatedPart,
  type ExaminedRun,
  type PrimaryPart,
} from '../examine-run.js';
import { noInterval, range } from '../format.js';
import { type Content, type Html, html } from '../html.js';
import { classBars } from '../plots/class-bars.js';
import { type Numbers, plotFigure, scrolling } from '../plots/plot-figure.js';
import type { Section } from './section.js';

/** The long tail: every class from the most to the least common, as a picture and as a table. */
export function classTable(run: ExaminedRun): Section | null {
  const { classes, primary } = run;
  if (classes.length === 0) return null;
  const on = primary === null ? '' : `, measured on ${primary.name}`;
  const interval = html`<span class="below">95 % interval</span>`;
  const columns: Content[] = [
    'Training share',
    'Train +',
    'Val +',
    'Test +',
    html`AP ${interval}`,
    'AP ÷ guess',
    html`AUROC ${interval}`,
    'F1 at 0.5',
    'Best F1',
    'ECE',
  ];
  const content = html`<div class="grid2">${prevalenceBars(classes)}${primary !== null && [precisionBars(classes, primary), aurocBars(classes, primary)]}</div>
<p class="legend">${(['head', 'medium', 'tail'] as const).map((group) => html`<span class="chip ${group}">${group}</span> `)}${primary !== null && html`<span class="guess-key"></span> guess <span class="whisker-key"></span> 95 % interval`}</p>
${scrolling(
  'Every class',
  html`<table class="classes">
<caption>From most to least common in training${on}</caption>
<thead><tr><th scope="col">Class</th><th scope="col">Group</th>${columns.map((title) => html`<th scope="col" class="n">${title}</th>`)}</tr></thead>
<tbody>${classes.map((fact) => row(run, fact))}</tbody>
${primary !== null && meanRow(primary)}
</table>`,
)}
<p class="fine">+: images labelled positive. ${primary !== null && html`Guess: the prevalence on ${primary.name}, which is the AP of scoring every image alike. Best F1 has its threshold chosen on the same images, so it flatters. ECE: expected calibration error, 15 bins.`}</p>
${primary !== null && [leftOut(primary), withoutInterval(primary, classes)]}`;
  return { key: 'classes', title: 'The long tail, class by class', content };
}

function prevalenceBars(classes: readonly ClassFact[]): Html | null {
  const known = classes.filter(({ prevalence }) => prevalence > 0);
  if (known.length === 0) return null;
  const least = Math.min(...known.map(({ prevalence }) => prevalence));
  const chart = classBars(
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
    plot: chart,
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

function precisionBars(classes: readonly ClassFact[], part: PrimaryPart): Html {
  const chart = classBars(
    classes.map((fact) => {
      const { ap, prevalence } = classSummary(part, fact);
      const note = Number.isNaN(ap) ? 'no positives' : `${decimals(ap, 2)} · ${times(ap, prevalence)}`;
      const interval = part.classIntervals.mAP[fact.index];
      return {
        name: fact.name,
        value: ap,
        tick: prevalence,
        note,
        style: fact.group ?? 'none',
        ...(interval && { interval }),
      };
    }),
    { scale: 'linear', domain: [0, 1], label: `average precision on ${part.name}, times its guess` },
    'Average precision of each class beside its prevalence',
  );
  return plotFigure({
    caption: 'Average precision against a prevalence guess',
    plot: chart,
    numbers: intervalTable(classes, part, 'mAP', 'AP'),
  });
}

function aurocBars(classes: readonly ClassFact[], part: PrimaryPart): Html {
  const chart = classBars(
    classes.map((fact) => {
      const { auroc } = classSummary(part, fact);
      const interval = part.classIntervals.auroc[fact.index];
      const note = Number.isNaN(auroc) ? 'one outcome only' : decimals(auroc, 2);
      return {
        name: fact.name,
        value: auroc,
        tick: 0.5,
        note,
        style: fact.group ?? 'none',
        ...(interval && { interval }),
      };
    }),
    { scale: 'linear', domain: [0, 1], label: `AUROC on ${part.name}; a guess has 0.5` },
    'AUROC of each class',
  );
  return plotFigure({
    caption: 'AUROC',
    plot: chart,
    numbers: intervalTable(classes, part, 'auroc', 'AUROC'),
  });
}

function intervalTable(
  classes: readonly ClassFact[],
  part: PrimaryPart,
  metric: 'mAP' | 'auroc',
  title: string,
): Numbers {
  return {
    columns: ['Class', title, '95 % interval', 'Guess'].map((each) => ({ title: each })),
    rows: classes.map((fact) => {
      const { ap, auroc, prevalence } = classSummary(part, fact);
      const interval = part.classIntervals[metric][fact.index];
      return [
        fact.name,
        decimals(metric === 'mAP' ? ap : auroc),
        interval === undefined ? NOTHING : (noInterval(interval) ?? range(interval)),
        decimals(metric === 'mAP' ? prevalence : 0.5),
      ];
    }),
  };
}

function row(run: ExaminedRun, fact: ClassFact): Html {
  const positives = (part: EvaluatedPart | null) =>
    html`<td class="n">${count(part === null ? null : classSummary(part, fact).positives)}</td>`;
  const measured = run.primary === null ? null : classSummary(run.primary, fact);
  const below = (metric: 'mAP' | 'auroc') => {
    const interval = run.primary?.classIntervals[metric][fact.index];
    return interval !== undefined && html`<span class="below">${range(interval)}</span>`;
  };
  return html`<tr><th scope="row">${fact.name}</th><td>${fact.group !== null && html`<span class="chip ${fact.group}">${fact.group}</span>`}</td><td class="n">${percent(fact.prevalence)}</td><td class="n">${count(fact.trainPositives)}</td>${positives(run.validation)}${positives(run.test)}<td class="n"><b>${decimals(measured?.ap)}</b>${below('mAP')}</td><td class="n">${times(measured?.ap, measured?.prevalence)}</td><td class="n">${decimals(measured?.auroc)}${below('auroc')}</td><td class="n">${decimals(measured?.f1)}</td><td class="n">${decimals(measured?.bestF1)}</td><td class="n">${decimals(measured?.ece)}</td></tr>`;
}

function meanRow({ summary: { macro }, intervals }: PrimaryPart): Html {
  return html`<tfoot><tr><th scope="row">Mean of the classes that have it</th><td colspan="5"></td><td class="n"><b>${decimals(macro.mAP)}</b><span class="below">${range(intervals.mAP)}</span></td><td class="n">${times(macro.mAP, macro.prevalenceGuess)}</td><td class="n">${decimals(macro.auroc)}<span class="below">${range(intervals.auroc)}</span></td><td class="n">${decimals(macro.f1)}</td><td class="n">${decimals(macro.bestF1)}</td><td class="n">${decimals(macro.ece)}</td></tr></tfoot>`;
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

/** Classes whose average precision has no interval, gathered by the reason; those without the metric are named already. */
function withoutInterval(part: PrimaryPart, classes: readonly ClassFact[]): Html | null {
  const gathered = new Map<string, string[]>();
  for (const { name, index } of classes) {
    const interval = part.classIntervals.mAP[index];
    if (interval === undefined || interval.whyMissing === null || Number.isNaN(interval.estimate)) continue;
    gathered.set(interval.whyMissing, [...(gathered.get(interval.whyMissing) ?? []), name]);
  }
  if (gathered.size === 0) return null;
  return html`<p><b>Without an interval:</b> ${[...gathered].map(([reason, names], i) => `${i > 0 ? '; ' : ''}${names.join(', ')}: ${reason}`)}.</p>`;
}

const LABELS = { mAP: 'AP', auroc: 'AUROC', f1: 'F1', bestF1: 'best F1', ece: 'ECE' } as const;
