import type { Interval } from '../../eval/metrics/interval.js';
import { decimals, NOTHING, signed, times } from '../../text/numbers.js';
import { differenceFrom } from '../compare-runs.js';
import { distinguishLosses } from '../describe-run.js';
import { classSummary, type ExaminedRun, GROUPS } from '../examine-run.js';
import { range } from '../format.js';
import { type Content, type Html, html } from '../html.js';
import { type ClassDots, classDots } from '../plots/class-dots.js';
import { frame } from '../plots/frame.js';
import { lineMark, type Point } from '../plots/marks.js';
import { plotFigure, scrolling } from '../plots/plot-figure.js';
import { recordedStages, validatedAlike } from '../recorded-stages.js';
import { primaryScores } from '../run-scores.js';

/** Several runs side by side: one table, one picture of the tail, one of the way there. */
export function comparison(runs: readonly ExaminedRun[], resamples?: number): Html {
  const [first] = runs;
  const losses = distinguishLosses(runs.map(({ record }) => record.final));
  const parts = new Set(runs.map((run) => primaryScores(run)?.part ?? 'nothing'));
  const interval = html`<span class="below">95 % interval</span>`;
  const columns: Content[] = [
    'Seed',
    html`mAP ${interval}`,
    '× guess',
    ...GROUPS.map((group) => html`mAP <span class="chip ${group}">${group}</span>`),
    html`AUROC ${interval}`,
    'mAP, against the first',
    'Tail mAP, against the first',
  ];
  return html`<section id="comparison"><h2>${runs.length} runs compared</h2>
${scrolling(
  'The runs',
  html`<table>
<thead><tr><th scope="col">Run</th><th scope="col">Loss</th>${columns.map((title) => html`<th scope="col" class="n">${title}</th>`)}</tr></thead>
<tbody>${runs.map((run, i) => row(run, i, { first, loss: losses[i] ?? '', resamples }))}</tbody></table>`,
)}
<p class="fine">Scored on ${[...parts].join(' and ')}. Differences: on the same images and the same bootstrap draws of patients; an interval without zero (bold) is unlikely to be luck of these patients, which says nothing about the luck of a seed.</p>
${parts.size > 1 && html`<p class="warn">These runs were not scored on the same part of the split: their scores don’t compare.</p>`}
<p class="legend">${runs.map(({ record }, i) => html`<span class="key run${i % RUN_COLOURS}"></span>${record.name} `)}</p>
<div class="grid2">${tailPicture(runs)}${validationCurves(runs)}</div>
</section>`;
}

function row(
  run: ExaminedRun,
  i: number,
  { first, loss, resamples }: { first: ExaminedRun | undefined; loss: string; resamples: number | undefined },
): Html {
  const { record, primary } = run;
  const scores = primaryScores(run);
  const difference = first === undefined || run === first ? null : differenceFrom(first, run, { resamples });
  const cell = (content: Content) => html`<td class="n">${content}</td>`;
  return html`<tr><th scope="row"><span class="key run${i % RUN_COLOURS}"></span> <a href="#run-${i + 1}">${record.name}</a></th><td>${loss}</td>${cell(record.recipe.seed)}${cell(html`<b>${decimals(scores?.mAP)}</b>${below(scores?.intervals?.mAP)}`)}${cell(times(scores?.mAP, scores?.guess))}${GROUPS.map((group) => cell(decimals(primary?.groups.find(({ name }) => name === group)?.means.mAP)))}${cell([decimals(scores?.auroc), below(scores?.intervals?.auroc)])}${cell(differenceText(difference?.mAP))}${cell(differenceText(difference?.tail))}</tr>`;
}

function differenceText(interval: Interval | null | undefined): Content {
  if (!interval) return NOTHING;
  const { estimate, low, high } = interval;
  const value = low > 0 || high < 0 ? html`<b>${signed(estimate)}</b>` : signed(estimate);
  return html`${value}<span class="below">${signed(low)} to ${signed(high)}</span>`;
}

function below(interval: Interval | undefined): Content {
  return interval !== undefined && html`<span class="below">${range(interval)}</span>`;
}

/** Average precision of every class that all runs name, in the first run's order. */
function tailPicture(runs: readonly ExaminedRun[]): Html | null {
  const scored = runs.flatMap((run, i) => (run.primary === null ? [] : [{ run, part: run.primary, i }]));
  const [leader] = scored;
  if (leader === undefined) return null;
  const rows = leader.run.classes.map(
    (fact): ClassDots => ({
      name: fact.name,
      group: fact.group,
      guess: classSummary(leader.part, fact).prevalence,
      dots: scored.flatMap(({ run, part, i }) => {
        const same = run.classes.find(({ name }) => name === fact.name);
        if (same === undefined) return [];
        return [
          { value: classSummary(part, same).ap, style: `run${i % RUN_COLOURS}`, label: run.record.name },
        ];
      }),
    }),
  );
  return plotFigure({
    caption: 'Average precision from the most to the least common class',
    plot: classDots(rows),
    numbers: {
      columns: ['Class', 'Guess', ...scored.map(({ run }) => run.record.name)].map((title) => ({ title })),
      rows: rows.map(({ name, guess, dots }) => [
        name,
        decimals(guess),
        ...scored.map(({ run }) => decimals(dots.find(({ label }) => label === run.record.name)?.value)),
      ]),
    },
  });
}

function validationCurves(runs: readonly ExaminedRun[]): Html | null {
  const lines = runs.map(({ record }) => {
    // earlier stages may have been validated on other images
    const measured = validatedAlike(recordedStages(record)).at(-1) ?? [];
    return measured
      .flatMap(({ epochs }) => epochs)
      .flatMap(({ epoch, validation }): Point[] => {
        const value = validation?.mAP ?? null;
        return value === null ? [] : [[epoch, value]];
      });
  });
  const points = lines.flat();
  if (points.length === 0) return null;
  const last = Math.max(2, ...points.map(([epoch]) => epoch));
  const plot = frame(
    {
      width: 440,
      height: 260,
      x: { scale: 'linear', domain: [1, last], label: 'epoch', ticks: Math.min(7, last - 1) },
      y: {
        scale: 'linear',
        domain: [0, Math.max(0.01, ...points.map(([, mAP]) => mAP))],
        nice: true,
        label: 'macro mAP',
      },
      description: 'Validation mAP of each run by epoch',
    },
    (area) =>
      lines.map((line, i) =>
        lineMark(area, line, `run${i % RUN_COLOURS}`, { title: runs[i]?.record.name ?? '' }),
      ),
  );
  const epochs = [...new Set(points.map(([epoch]) => epoch))].sort((a, b) => a - b);
  return plotFigure({
    caption: 'Validation mAP by epoch',
    plot,
    numbers: {
      columns: ['Epoch', ...runs.map(({ record }) => record.name)].map((title) => ({ title })),
      rows: epochs.map((epoch) => [
        epoch,
        ...lines.map((line) => decimals(line.find(([at]) => at === epoch)?.[1])),
      ]),
    },
  });
}

/** Colours that the style sheet has for runs (`run0` …). */
const RUN_COLOURS = 6;
