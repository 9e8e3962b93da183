import { stageRecipes } from '../../recipe/recipe-stages.js';
import { count, counted, decimals, times } from '../../text/numbers.js';
import { describeModel, lossName } from '../describe-run.js';
import type { ExaminedRun, PrimaryPart } from '../examine-run.js';
import { noInterval, range } from '../format.js';
import { type Content, type Html, html } from '../html.js';
import { scrolling } from '../plots/plot-figure.js';
import { type PartScores, partScores, primaryScores } from '../run-scores.js';

/** The model, its data and its scores: the part for readers who read nothing else. @param id of the run's article */
export function headline(run: ExaminedRun, id: string): Html {
  const { record } = run;
  const { final, recipe } = record;
  const scores = primaryScores(run);
  const other = scores?.part === 'test' ? partScores(run, 'validation') : null;
  return html`<header>
<h2 id="${id}-name">${record.name}</h2>
<p class="lead">${describeModel(final)} trained with the loss <b>${lossName(final)}</b>, seed ${recipe.seed}, on ${trainedOn(run)}.</p>
${scores === null ? html`<p>No image has been scored yet.</p>` : tiles(run, scores, other)}
${scores !== null && html`<p class="fine">${reading(run, scores)}</p>`}
${run.primary !== null && groupTable(run.primary)}
${missingNotes(run)}
</header>`;
}

function trainedOn({ record, classes, simulated }: ExaminedRun): string {
  const train = record.summary?.data.train;
  const kind = simulated ? 'simulated images' : 'images';
  const names = `${classes.length} classes`;
  if (train === undefined) return `${kind}, ${names}`;
  const patients = train.patients > 0 ? ` of ${counted(train.patients, 'patient')}` : '';
  return `${count(train.images - train.unreadable)} ${kind}${patients}, ${names}`;
}

function tiles({ record }: ExaminedRun, scores: PartScores, other: PartScores | null): Html {
  const best = record.summary?.best ?? record.saved?.progress.best ?? null;
  const interval = (metric: 'mAP' | 'auroc') =>
    scores.intervals === null
      ? 'interval needs the labels'
      : (noInterval(scores.intervals[metric]) ??
        html`95 % interval <i class="keep">${range(scores.intervals[metric])}</i>`);
  const beside = (text: (other: PartScores) => string) =>
    other !== null && html`<span>validation ${text(other)}</span>`;
  return html`<div class="tiles">
${tile(`Macro mAP, ${scores.part}`, decimals(scores.mAP), [
  html`<span>${interval('mAP')}</span>`,
  beside(({ mAP }) => decimals(mAP)),
])}
${tile('Times a prevalence guess', times(scores.mAP, scores.guess), [
  html`<span>the guess has a mAP of ${decimals(scores.guess)}</span>`,
  beside(({ mAP, guess }) => times(mAP, guess)),
])}
${tile(`Macro AUROC, ${scores.part}`, decimals(scores.auroc), [
  html`<span>${interval('auroc')}</span>`,
  beside(({ auroc }) => decimals(auroc)),
])}
${tile('Best epoch', best === null ? '–' : String(best.epoch), [
  html`<span>of ${plannedEpochs(record)}, by validation mAP</span>`,
  html`<span>${count(record.summary?.epochs ?? record.saved?.progress.epochsClosed ?? record.epochs.length)} trained</span>`,
])}
</div>`;
}

function plannedEpochs({ recipe }: ExaminedRun['record']): number {
  return stageRecipes(recipe).reduce((sum, { schedule }) => sum + schedule.epochs, 0);
}

function tile(title: string, value: string, lines: Content[]): Html {
  return html`<div class="tile"><h3>${title}</h3><p class="figure">${value}</p><p class="fine">${lines}</p></div>`;
}

function reading({ primary }: ExaminedRun, { part, intervals }: PartScores): string {
  const sentences = [
    part === 'test'
      ? 'Test took no part in training or in choosing the epoch.'
      : 'Validation chose the epoch, so these scores are somewhat too good.',
  ];
  if (primary !== null && intervals !== null) {
    const of =
      primary.drawn === 'patients'
        ? 'over patients'
        : 'over images (the table names no patients: too narrow)';
    sentences.push(
      `Intervals: BCa bootstrap ${of}, ${count(intervals.mAP.resamples)} draws from ${counted(primary.n, 'image')}.`,
      'Where classes have few positives, an interval holds the true value less often than it says.',
      'A prevalence guess scores every image alike.',
    );
  }
  return sentences.join(' ');
}

function groupTable({ groups, name }: PrimaryPart): Html | null {
  if (groups.length === 0) return null;
  const columns = ['Classes', 'mAP', '95 % interval', 'Guess', '× guess', 'AUROC'];
  return scrolling(
    'By frequency in training',
    html`<table>
<caption>By frequency in training, on ${name}</caption>
<thead><tr><th scope="col">Group</th>${columns.map((title) => html`<th scope="col" class="n">${title}</th>`)}</tr></thead>
<tbody>${groups.map(
      ({ name: group, classes, means, mAP }) =>
        html`<tr><th scope="row"><span class="chip ${group}">${group}</span> <span class="muted">${BOUNDS[group]}</span></th><td class="n">${classes}</td><td class="n"><b>${decimals(means.mAP)}</b></td><td class="n">${range(mAP)}</td><td class="n">${decimals(means.prevalenceGuess)}</td><td class="n">${times(means.mAP, means.prevalenceGuess)}</td><td class="n">${decimals(means.auroc)}</td></tr>`,
    )}</tbody></table>`,
  );
}

/** As `frequencyGroup` of data/findings divides them. */
const BOUNDS = {
  head: 'above 10 %',
  medium: '1 to 10 %',
  tail: 'below 1 %',
};

function missingNotes({ missing }: ExaminedRun): Html | null {
  if (missing.length === 0) return null;
  return html`<div class="callout"><h3>To know before reading on</h3><ul>${missing.map((note) => html`<li>${note}</li>`)}</ul></div>`;
}
