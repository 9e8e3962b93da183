import { alike, type OpGroup, worthShowing } from '../../engine/run/op-groups.js';
import { type Html, html } from '../../report/html.js';
import { scrolling } from '../../report/plots/plot-figure.js';
import { count, decimals, percent } from '../../text/numbers.js';
import { shortenInMiddle } from '../../text/shorten.js';
import type { RunState } from '../run-state.js';

const MOST_ROWS = 20;

/** The time of a training step by kernel, the longest first. Known only of steps that were profiled. */
export function kernels({ profile, noProfile }: RunState): Html {
  if (profile === null) return html`<p class="muted">${noProfile ?? 'No step was profiled yet.'}</p>`;
  const groups = alike(profile.ops).sort((a, b) => msOf(b) - msOf(a));
  const total = groups.reduce((sum, group) => sum + msOf(group), 0);
  if (total === 0) return html`<p class="muted">${noProfile ?? 'The steps left no times.'}</p>`;
  const shown = worthShowing(groups, msOf).slice(0, MOST_ROWS);
  const rest = groups.slice(shown.length);
  const longest = msOf(shown[0]);
  const rate = (work: number, ms: number) => (ms > 0 ? decimals(work / ms / 1e6, 1) : '–');
  const table = html`<table>
<thead><tr><th scope="col">Op</th><th scope="col">Shapes</th><th scope="col">Kernel</th><th scope="col" class="n">ms</th><th scope="col">Share</th><th scope="col" class="n">GFLOP/s</th><th scope="col" class="n">GB/s</th></tr></thead>
<tbody>${shown.map(
    (group) =>
      html`<tr><th scope="row">${group.op}${group.count > 1 && html` <span class="muted">×${group.count}</span>`}</th><td>${shortenInMiddle(group.shape, 40)}</td><td>${group.variant}</td><td class="n">${decimals(msOf(group), 2)}</td><td>${bar(msOf(group) / longest)} ${percent(msOf(group) / total, 1)}</td><td class="n">${rate(group.flops, msOf(group))}</td><td class="n">${rate(group.bytes, msOf(group))}</td></tr>`,
  )}</tbody></table>`;
  return html`${scrolling('Time by kernel', table)}
<p class="fine">${decimals(total, 1)} ms of ${profile.of}.${rest.length > 0 && ` ${count(rest.reduce((sum, group) => sum + group.count, 0))} other ops take ${percent(rest.reduce((sum, group) => sum + msOf(group), 0) / total, 1)}.`} A profiled step takes longer than others: the host waits for it.</p>`;
}

function msOf(group: OpGroup | undefined): number {
  return group?.ms ?? 0;
}

const WIDTH = 80;

/** @param share of the longest */
function bar(share: number): Html {
  return html`<svg class="share" viewBox="0 0 ${WIDTH} 8" width="${WIDTH}" height="8" aria-hidden="true"><rect class="bar series" width="${Math.max(1, Math.round(share * WIDTH))}" height="8"/></svg>`;
}
