import { readFileSync } from 'node:fs';
import { counted, decimals, NOTHING } from '../../text/numbers.js';
import { describeModel, lossName } from '../describe-run.js';
import { range } from '../format.js';
import { type Content, type Html, html } from '../html.js';
import { withoutFolders } from '../local-folders.js';
import { pathEnds } from '../path-ends.js';
import { sparkline } from '../plots/sparkline.js';
import { RUN_COLUMNS, sortRuns } from '../runs/run-columns.js';
import { type OutlineScores, RUN_STATES, type RunOutline } from '../runs/run-outline.js';
import { type DifferingSetting, differingSettings } from '../runs/run-settings.js';

/**
 * Many runs in one table, the best first: how each went, its scores, and the settings in which the recipes differ. The
 * script of the page lets a reader sort it; the table is whole without.
 */

/** The program in the page, a module without imports. Read here because it runs in a browser and is never imported. */
export function sortScript(): string {
  const text = readFileSync(new URL('./sort-table.mjs', import.meta.url), 'utf8');
  return text.replace(/^\/\/# sourceMappingURL=.*$/m, '').trim();
}

export interface OverviewOptions {
  /** Where in the page a run is told of; null for one that has only its row. */
  address(run: RunOutline): string | null;
}

/** More settings than these are named below the table, without their values. */
const MOST_SETTINGS = 24;

export function overview(given: readonly RunOutline[], { address }: OverviewOptions): Html {
  const runs = sortRuns(given, 'mAP');
  const names = pathEnds(runs.map(({ path }) => path));
  const recipes = runs.flatMap(({ recipe }) => recipe ?? []);
  const differing = differingSettings(recipes);
  const settings = differing.slice(0, MOST_SETTINGS);
  const more = differing.slice(MOST_SETTINGS).map(({ setting }) => setting);
  const extent = extentOf(runs);
  const failed = runs.filter(({ state }) => state === 'failed');
  const rows = runs.map((run, i) => {
    const place = run.recipe === null ? -1 : recipes.indexOf(run.recipe);
    const values = settings.map((setting) => ({
      value: setting.values[place] ?? null,
      style: isNumeric(setting) ? 'n' : 'setting',
    }));
    return row(run, { name: names[i] ?? run.name, address: address(run), values, extent });
  });
  return html`<section id="overview"><h2>${counted(runs.length, 'run')}</h2>
<p class="lead">${summary(runs)}</p>
<div class="scroll" tabindex="0" role="region" aria-label="All runs"><table class="sortable">
<thead><tr><th scope="col">Run</th><th scope="col" class="n" aria-sort="descending">Validation mAP</th><th scope="col" class="n">Test mAP</th><th scope="col" data-unsorted>By epoch</th><th scope="col">State</th><th scope="col" class="n">Epochs</th>${settings.map((setting) => html`<th scope="col" class="${isNumeric(setting) ? 'n' : 'setting'}">${breakable(setting.setting)}</th>`)}<th scope="col" class="n">Test AUROC</th><th scope="col" class="n">Time</th><th scope="col" class="n">Size</th><th scope="col">Written (UTC)</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="fine">The best validation first. Means over classes, with 95 % intervals over patients where the run recorded them. Validation chose the best epoch, so its mAP is somewhat too good. By epoch: validation mAP, all on one scale; the loss, dashed, where nothing was validated.${settings.length > 0 && ' After the epochs: the settings in which the recipes differ.'}</p>
${more.length > 0 && html`<p class="fine">${counted(more.length, 'further setting')} differ: ${more.join(', ')}.</p>`}
${failed.length > 0 && html`<ul class="fine">${failed.map(({ path, name, why }) => html`<li>${name}: ${withoutFolders([path])(why ?? '')}</li>`)}</ul>`}
</section>`;
}

/** How many there are of each state, and what all have in common. */
function summary(runs: readonly RunOutline[]): string {
  const states = RUN_STATES.flatMap((state) => {
    const of = runs.filter((run) => run.state === state).length;
    return of === 0 ? [] : [`${of} ${state}`];
  });
  const finals = runs.flatMap(({ final }) => final ?? []);
  const models = new Set(finals.map(describeModel));
  const losses = new Set(finals.map(lossName));
  const common = [
    models.size === 1 ? `all are ${[...models][0]}` : `${models.size} models`,
    losses.size === 1 ? `all have the loss ${[...losses][0]}` : `${losses.size} losses`,
  ];
  return `${states.join(', ')}; ${common.join(', ')}.`;
}

interface RowOptions {
  readonly name: string;
  readonly address: string | null;
  /** Of the settings that differ. */
  readonly values: readonly { readonly value: string | null; readonly style: string }[];
  readonly extent: Extent;
}

function row(run: RunOutline, { name, address, values, extent }: RowOptions): Html {
  const { state, validation, test, epochs, bestEpoch, seconds, bytes, when } = run;
  const title = address === null ? name : html`<a href="${address}">${name}</a>`;
  const best = bestEpoch !== null && html`<span class="below">best ${bestEpoch}</span>`;
  return html`<tr><th scope="row">${title}</th>${score(validation)}${score(test)}<td>${curve(run, extent)}</td><td class="state-${state}" data-sort="${RUN_STATES.indexOf(state)}">${state}</td>${numberCell(epochs.done, [RUN_COLUMNS.epochs.text(run), best])}${values.map(({ value, style }) => html`<td class="${style}">${value ?? NOTHING}</td>`)}${numberCell(test?.auroc, decimals(test?.auroc))}${numberCell(seconds || null, RUN_COLUMNS.time.text(run))}${numberCell(bytes, RUN_COLUMNS.size.text(run))}<td>${new Date(when).toISOString().slice(0, 16).replace('T', ' ')}</td></tr>
`;
}

function score(scores: OutlineScores | null): Html {
  const ends = scores?.interval && html`<span class="below">${range(scores.interval)}</span>`;
  return numberCell(scores?.mAP, html`<b>${decimals(scores?.mAP)}</b>${ends}`);
}

/** @param value what the cell sorts by */
function numberCell(value: number | null | undefined, content: Content): Html {
  return html`<td class="n" data-sort="${value}">${content}</td>`;
}

function isNumeric({ values }: DifferingSetting): boolean {
  return values.every((value) => value === null || Number.isFinite(Number(value)));
}

/** A long name in a narrow column. */
function breakable(setting: string): Content {
  return setting.split('.').map((part, i) => (i === 0 ? part : html`.<wbr/>${part}`));
}

interface Extent {
  readonly epochs: number;
  readonly mAP: number;
}

/** What the curves share, so that they can be compared at a glance. */
function extentOf(runs: readonly RunOutline[]): Extent {
  const points = runs.flatMap(({ curve: each }) => (each?.metric === 'mAP' ? each.points : []));
  const planned = runs.flatMap(({ curve: each }) => each?.points.map(([epoch]) => epoch) ?? []);
  return {
    epochs: Math.max(2, ...planned),
    mAP: Math.max(0.01, ...points.map(([, value]) => value)),
  };
}

function curve({ curve: drawn, bestEpoch }: RunOutline, extent: Extent): Content {
  const [first, last] = [drawn?.points[0], drawn?.points.at(-1)];
  if (!drawn || !first || !last) return NOTHING;
  const { metric, points } = drawn;
  const values = points.map(([, value]) => value);
  const best = metric === 'mAP' ? (points.find(([epoch]) => epoch === bestEpoch) ?? null) : null;
  const title = metric === 'mAP' ? 'validation mAP' : 'mean loss';
  const peak = best ? `, ${decimals(best[1])} in epoch ${best[0]}` : '';
  return sparkline({
    points,
    x: [1, extent.epochs],
    y: metric === 'mAP' ? [0, extent.mAP] : [Math.min(...values, 0), Math.max(...values)],
    marked: best,
    style: metric,
    description: `${title} from ${decimals(first[1])} to ${decimals(last[1])} in ${counted(points.length, 'epoch')}${peak}`,
  });
}
