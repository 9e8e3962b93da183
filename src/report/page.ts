import { htmlDocument } from './document.js';
import type { ExaminedRun } from './examine-run.js';
import { type Html, html } from './html.js';
import { classCurves } from './sections/class-curves.js';
import { classTable } from './sections/class-table.js';
import { comparison } from './sections/comparison.js';
import { curves } from './sections/curves.js';
import { dataSection } from './sections/data.js';
import { headline } from './sections/headline.js';
import { provenance } from './sections/provenance.js';
import { samples } from './sections/samples.js';

/** The whole page, in the order in which a reader asks. */

export interface PageOptions {
  /** Leave the sample images out. */
  readonly pictures: boolean;
  /** Bootstrap draws for differences between runs. */
  readonly resamples?: number | undefined;
}

/** The text of the HTML file; the same runs give the same text. */
export async function renderPage(runs: readonly ExaminedRun[], options: PageOptions): Promise<string> {
  const articles: Html[] = [];
  for (const [i, run] of runs.entries()) {
    articles.push(html`<article id="run-${i + 1}">
${headline(run)}
${curves(run)}
${classTable(run)}
${classCurves(run)}
${options.pictures && (await samples(run))}
${dataSection(run)}
${provenance(run)}
</article>`);
  }
  const title = runs.map(({ record }) => record.name).join(', ');
  const body = html`${banner(runs)}
${runs.length > 1 && comparison(runs, options.resamples)}
${articles}`;
  return htmlDocument({ title: `${title} · tailray report`, heading: 'tailray training report', body }).text;
}

function banner(runs: readonly ExaminedRun[]): Html {
  const simulated = runs.filter((run) => run.simulated);
  if (simulated.length === 0) {
    return html`<p class="fine"><b>Research software, not a medical device: never for clinical use.</b></p>`;
  }
  const which =
    simulated.length === runs.length ? '' : ` (${simulated.map(({ record }) => record.name).join(', ')})`;
  return html`<div class="banner" role="note"><b>SIMULATED DATA${which}</b> The images and their labels were drawn by a computer program. These scores say nothing about patients. Research software, never for clinical use.</div>`;
}
