import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Html, html } from '../report/html.js';
import { natural } from '../report/plots/frame.js';
import { curves } from '../report/sections/curves.js';
import { STYLE } from '../report/style.js';
import { tailrayVersion } from '../storage/version.js';
import type { Session } from './access.js';
import { headline, tabTitle } from './parts/headline.js';
import { kernels } from './parts/kernels.js';
import { notes } from './parts/notes.js';
import { predictions } from './parts/predictions.js';
import type { Changed, RunState } from './run-state.js';
import type { Served } from './server.js';

/**
 * The live page: a shell that is sent once, and parts that a program of ours in the browser puts into it as they change. It
 * looks like the report, and draws with the report's plots.
 */

/** Of the parts of the page, and of what the program itself wants to know. */
export type PartName = Changed | 'run';

/** @returns markup; of `run` JSON */
export function renderPart(name: PartName, state: RunState): string {
  if (name === 'run') return JSON.stringify(facts(state));
  return PARTS[name](state).text;
}

const PARTS: Readonly<Record<Changed, (state: RunState) => Html>> = {
  headline,
  curves: (state) => html`${curves({ record: { recipe: state.recipe, ...state.lines } }).content}
${state.drawnEvery > 1 && html`<p class="fine">Here one in ${state.drawnEvery} of these is drawn; the report has all.</p>`}`,
  kernels,
  predictions,
  notes,
};

/** What the program in the browser goes by. */
interface RunFacts {
  readonly title: string;
  readonly phase: RunState['phase'];
  /** Whether the buttons do anything. */
  readonly goesOn: boolean;
  readonly profiles: boolean;
  /** What became of a button, or is about to. */
  readonly said: string;
}

function facts(state: RunState): RunFacts {
  const { phase, goesOn, noProfile, said } = state;
  return { title: tabTitle(state), phase, goesOn, profiles: noProfile === null, said };
}

export function renderShell({ requestKey }: Session): string {
  return html`<!doctype html>
<html lang="en" data-request-key="${requestKey}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tailray training</title>
<link rel="icon" href="icon.svg">
<link rel="stylesheet" href="style.css">
<script type="module" src="live.mjs"></script>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><h1>tailray training, live</h1></header>
<main id="main" tabindex="-1">
<div class="controls">
<p class="connection" id="connection" role="status">Connecting …</p>
<button type="button" data-action="save" disabled>Save now</button>
<button type="button" data-action="stop" disabled>Save and stop</button>
<p id="said" role="status"></p>
</div>
<div data-part="headline"></div>
<section><h3>How training goes</h3><div data-part="curves"></div></section>
<section><h3>The same validation images, as training goes on</h3><div data-part="predictions"></div></section>
<section><h3>Time by kernel</h3>
<p><button type="button" data-action="profile" disabled>Profile the next step</button></p>
<div data-part="kernels"></div></section>
<section><h3>News of the run</h3><div data-part="notes"></div></section>
</main>
<footer class="fine">tailray ${tailrayVersion}. Research software, not a medical device: never for clinical use.</footer>
</body>
</html>
`.text;
}

const SOURCE_MAP = /^\/\/# sourceMappingURL=.*$/m;

/** What lies beside the page, by name. */
export async function pageFile(name: string): Promise<Served | null> {
  switch (name) {
    case 'style.css':
      return { type: 'text/css; charset=utf-8', content: STYLE + LIVE_STYLE };
    case 'live.mjs':
      return {
        type: 'text/javascript; charset=utf-8',
        content: (await readFile(new URL('./browser/live.mjs', import.meta.url), 'utf8')).replace(
          SOURCE_MAP,
          '',
        ),
      };
    case 'icon.svg':
      return { type: 'image/svg+xml', content: ICON };
    default:
      return null;
  }
}

/** The width that the report's plots have is an inline style: this one and no other is let through. */
export const PLOT_STYLES: readonly string[] = [
  `'sha256-${createHash('sha256')
    .update(`max-width:${natural(340)}px`)
    .digest('base64')}'`,
];

const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 13 5 8l3 3 7-9" fill="none" stroke="#3d4fa3" stroke-width="2"/></svg>';

const LIVE_STYLE = `
.controls{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:.5rem .75rem;align-items:center;padding:.5rem 0;background:var(--paper);border-bottom:1px solid var(--rule)}
.controls p{margin:0;font-size:.85rem}
.connection::before{content:"";display:inline-block;width:.65em;height:.65em;border-radius:50%;background:var(--muted);margin-right:.4em}
.connection.live::before{background:var(--good)}
.connection.lost::before{background:var(--alarm)}
button{font-size:.85rem;background:var(--card);border:1px solid var(--muted);border-radius:6px;padding:.3rem .8rem;cursor:pointer}
button:hover:enabled{border-color:var(--ink)}
button:disabled{color:var(--muted);cursor:default}
progress{width:100%;height:.6rem;accent-color:var(--series);margin:0 0 1rem}
svg.share{display:inline-block;width:80px;height:8px;vertical-align:.05em}
.watched{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15rem,50% - .5rem),1fr));gap:1.25rem 1rem}
.watched figure{min-width:0;overflow-wrap:anywhere}
.watched img{display:block;width:100%;height:auto;border-radius:4px;background:#000}
.watched li{display:grid;grid-template-columns:minmax(0,1fr) 2.3rem 2.6rem;column-gap:.2rem}
.watched .case li .n{float:none}
.tiles{grid-template-columns:repeat(auto-fit,minmax(min(10.5rem,50% - .375rem),1fr))}
.tile .figure{font-size:1.75rem;white-space:nowrap}
.notes{list-style:none;margin:0;padding:0;font-size:.85rem}
.notes time{color:var(--muted);font-variant-numeric:tabular-nums;margin-right:.5em}
@media print{.controls{display:none}}
`;
