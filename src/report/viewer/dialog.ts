import { readFileSync } from 'node:fs';
import { type Html, html } from '../html.js';

/**
 * The dialog in which a radiograph is large: window and level by sliders or by dragging, the map of where the model looked
 * on and off, and the next image, all by keyboard, too. The page has one; its program (viewer.mjs) fills it with copies of
 * what stands in the page already, so that without the program nothing is lost but the enlarging.
 */

/** The program in the page, a module without imports. Read here because it runs in a browser and is never imported. */
export function viewerScript(): string {
  const text = readFileSync(new URL('./viewer.mjs', import.meta.url), 'utf8');
  return text.replace(/^\/\/# sourceMappingURL=.*$/m, '').trim();
}

export function viewerDialog(): Html {
  return html`<dialog class="viewer" aria-labelledby="viewer-title">
<svg class="store" width="0" height="0" aria-hidden="true"><filter id="viewer-window" color-interpolation-filters="sRGB"><feComponentTransfer>${['R', 'G', 'B'].map((channel) => html`<feFunc${channel} type="linear" slope="1" intercept="0"/>`)}</feComponentTransfer></filter></svg>
<div class="viewer-head"><h2 id="viewer-title" tabindex="-1"></h2><button type="button" data-do="close">Close <kbd>Esc</kbd></button></div>
<div class="viewer-body">
<div class="stage"><span class="side" aria-hidden="true">R</span><div class="stage-picture"></div><span class="side" aria-hidden="true">L</span></div>
<div class="viewer-panel">
<div class="viewer-text"></div>
<fieldset><legend>Grey levels</legend>
<label>Window <output for="viewer-width">100 %</output><input id="viewer-width" type="range" min="4" max="200" value="100" data-set="width"></label>
<label>Level <output for="viewer-level">50 %</output><input id="viewer-level" type="range" min="0" max="100" value="50" data-set="level"></label>
<div class="buttons"><button type="button" data-do="invert" aria-pressed="false">Invert <kbd>i</kbd></button><button type="button" data-do="reset">Reset <kbd>r</kbd></button></div>
</fieldset>
<fieldset data-part="map"><legend>Where the model looked</legend>
<label class="check"><input type="checkbox" checked data-set="map"> Shown <kbd>o</kbd></label>
<label>Strength <output for="viewer-strength">100 %</output><input id="viewer-strength" type="range" min="10" max="100" value="100" data-set="strength"></label>
</fieldset>
<p class="fine">Drag over the image: across for the window, up and down for the level. R and L: the patient’s sides, on a frontal view.</p>
</div></div>
<div class="viewer-foot"><button type="button" data-do="previous">← Previous</button><span class="viewer-place" role="status"></span><button type="button" data-do="next">Next →</button></div>
</dialog>`;
}
