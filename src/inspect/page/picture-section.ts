import { type Html, html } from '../../report/html.js';
import { count, percent } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';
import type { PictureFacts } from '../picture-facts.js';

/** Rows of a list before it is cut. */
const LISTED = 12;

/** The files: how large, how deep, and which can't be used. */
export function pictureSection({ pictures, picturesSkipped }: Inspection): Html {
  if (pictures === null) {
    return html`<section><h3>Pictures</h3><p class="muted">Not looked at: ${picturesSkipped}.</p></section>`;
  }
  return html`<section><h3>Pictures</h3>
<div class="grid2">${sizes(pictures)}${depths(pictures)}</div>
${unusable(pictures)}
</section>`;
}

function sizes({ sizes: all, readable, network: [height, width] }: PictureFacts): Html {
  return html`<div class="scroll"><table><caption>Sizes; the network is shown ${width} × ${height}</caption>
<thead><tr><th>Width × height</th><th class="n">Images</th><th class="n">Share</th></tr></thead>
<tbody>${all.slice(0, LISTED).map((size) => html`<tr><th scope="row">${size.width} × ${size.height}</th><td class="n">${count(size.images)}</td><td class="n">${percent(size.images / readable)}</td></tr>`)}
${all.length > LISTED && html`<tr><th scope="row">${count(all.length - LISTED)} other sizes</th><td class="n">${count(all.slice(LISTED).reduce((sum, { images }) => sum + images, 0))}</td><td></td></tr>`}</tbody></table></div>`;
}

function depths({ depths: stored, bitsUsed, readable }: PictureFacts): Html {
  const row = (name: string, images: number) =>
    images > 0 &&
    html`<tr><th scope="row">${name}</th><td class="n">${count(images)}</td><td class="n">${percent(images / readable)}</td></tr>`;
  return html`<div class="scroll"><table><caption>Bits a pixel</caption>
<thead><tr><th>Stored, used</th><th class="n">Images</th><th class="n">Share</th></tr></thead>
<tbody>${row('8 bits', stored[8])}${bitsUsed.map(({ bits, images }) => row(`16 bits, brightest pixel within ${bits}`, images))}</tbody></table></div>`;
}

function unusable({ unusable: files, looked }: PictureFacts): Html {
  if (files.length === 0) return html`<p class="right">All ${count(looked)} pictures are readable.</p>`;
  return html`<h4>Pictures that can't be used (${count(files.length)})</h4>
<ul class="fine">${files.slice(0, LISTED).map(({ image, line, part, kind, reason }) => html`<li><b>${image}</b> (${part}, line ${line}), ${kind}: ${reason}</li>`)}</ul>
${files.length > LISTED && html`<p class="fine">and ${count(files.length - LISTED)} more: --json names them all.</p>`}`;
}
