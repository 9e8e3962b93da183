import { resolve } from 'node:path';
import { counted } from '../text/numbers.js';
import { htmlDocument } from './document.js';
import type { ExaminedRun } from './examine-run.js';
import { type Html, html } from './html.js';
import { overview, sortScript } from './overview/overview.js';
import type { RunOutline } from './runs/run-outline.js';
import { type ExplainRun, orReason } from './samples/run-maps.js';
import { classCurves } from './sections/class-curves.js';
import { classTable } from './sections/class-table.js';
import { comparison } from './sections/comparison.js';
import { confusion } from './sections/confusion.js';
import { curves } from './sections/curves.js';
import { dataSection } from './sections/data.js';
import { headline } from './sections/headline.js';
import { pointing } from './sections/pointing.js';
import { provenance } from './sections/provenance.js';
import { samples } from './sections/samples.js';
import { scoreHistograms } from './sections/score-histograms.js';
import { subgroups } from './sections/subgroups.js';
import { time } from './sections/time.js';
import { viewerDialog, viewerScript } from './viewer/dialog.js';

/** The whole page, in the order in which a reader asks. */

export interface PageOptions {
  /** Leave the sample images out. */
  readonly pictures: boolean;
  /** Where the model of a run looked; absent: no maps are wanted. */
  readonly explain?: ExplainRun | undefined;
  /** Bootstrap draws for differences between runs. */
  readonly resamples?: number | undefined;
  /** Runs in a table above all, those in detail among them. */
  readonly overview?: readonly RunOutline[] | undefined;
}

/** Characters of all pictures in the page: with plots and tables of 36 classes it stays below 8 MB. */
const PICTURE_BUDGET = 5.2e6;

/** The text of the HTML file; the same runs give the same text. */
export async function renderPage(runs: readonly ExaminedRun[], options: PageOptions): Promise<string> {
  const articles: Html[] = [];
  for (const [i, run] of runs.entries()) {
    articles.push(await article(run, `run-${i + 1}`, { ...options, budget: PICTURE_BUDGET / runs.length }));
  }
  const { overview: rows = [] } = options;
  const names = runs.length > 0 ? runs.map(({ record }) => record.name) : [counted(rows.length, 'run')];
  const places = new Map(runs.map(({ record }, i) => [record.path, `#run-${i + 1}`]));
  const address = ({ path }: RunOutline) => places.get(resolve(path)) ?? null;
  const body = html`${banner(runs, rows)}
${rows.length > 0 && overview(rows, { address })}
${runs.length > 1 && comparison(runs, options.resamples)}
${articles}
${options.pictures && viewerDialog()}`;
  return htmlDocument({
    title: `${names.join(', ')} · tailray report`,
    heading: 'tailray training report',
    body,
    scripts: [...(options.pictures ? [viewerScript()] : []), ...(rows.length > 0 ? [sortScript()] : [])],
  }).text;
}

async function article(
  run: ExaminedRun,
  id: string,
  { pictures, explain, budget }: PageOptions & { budget: number },
): Promise<Html> {
  const maps = pictures && explain ? await explain(run) : null;
  const pointed = maps && 'pointing' in maps ? await orReason(run, () => maps.pointing()) : null;
  const sections = [
    classTable(run),
    pictures ? await samples(run, { id, budget, maps }) : null,
    pointed && !('reason' in pointed) ? pointing(run, pointed) : null,
    scoreHistograms(run),
    classCurves(run),
    confusion(run),
    subgroups(run),
    curves(run),
    time(run),
    dataSection(run),
    provenance(run),
  ].flatMap((section) => (section === null ? [] : { ...section, id: `${id}-${section.key}` }));
  return html`<article id="${id}" aria-labelledby="${id}-name">
${headline(run, id)}
<nav class="jump" aria-label="Sections of ${run.record.name}"><ul>${sections.map((section) => html`<li><a href="#${section.id}">${section.title}</a></li>`)}</ul></nav>
${sections.map((section) => html`<section id="${section.id}" aria-labelledby="${section.id}-title"><h3 id="${section.id}-title">${section.title}</h3>\n${section.content}\n</section>`)}
</article>`;
}

function banner(examined: readonly ExaminedRun[], rows: readonly RunOutline[]): Html {
  const names = new Map([
    ...rows.map(({ path, name, simulated }) => [resolve(path), { name, simulated }] as const),
    ...examined.map(({ record: { path, name }, simulated }) => [path, { name, simulated }] as const),
  ]);
  const runs = [...names.values()];
  const simulated = runs.filter((run) => run.simulated);
  if (simulated.length === 0) {
    return html`<p class="fine"><b>Research software, not a medical device: never for clinical use.</b></p>`;
  }
  const which = simulated.length === runs.length ? '' : ` (${simulated.map(({ name }) => name).join(', ')})`;
  return html`<div class="banner" role="note"><b>SIMULATED DATA${which}</b> The images and their labels were drawn by a computer program. These scores say nothing about patients. Research software, never for clinical use.</div>`;
}
