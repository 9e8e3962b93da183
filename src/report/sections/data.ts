import { count } from '../../text/numbers.js';
import type { ExaminedRun } from '../examine-run.js';
import { type Html, html } from '../html.js';
import { partSize } from '../run-labels.js';

/** The data of the run: the split, its patients, unreadable images, and notes of the data reader. */
export function dataSection(run: ExaminedRun): Html {
  const { data, record } = run;
  const rows = (['train', 'validation', 'test'] as const).map((part) => {
    const recorded = record.summary?.data[part] ?? null;
    const found = data?.source[part] ?? null;
    const size = recorded ?? (found === null ? null : partSize(found));
    if (size === null || size.images === 0) {
      return html`<tr><th scope="row">${part}</th><td class="n" colspan="3">none</td></tr>`;
    }
    const patients = size.patients > 0 ? count(size.patients) : 'not named';
    return html`<tr><th scope="row">${part}</th><td class="n">${count(size.images)}</td><td class="n">${patients}</td><td class="n">${count(recorded?.unreadable)}</td></tr>`;
  });
  const quarantined = (record.predictions?.rows ?? []).filter(({ probabilities }) => probabilities === null);
  return html`<section><h3>Data</h3>
<div class="scroll"><table><thead><tr><th>Part</th><th class="n">Images</th><th class="n">Patients</th><th class="n">Unreadable, left out</th></tr></thead><tbody>${rows}</tbody></table></div>
${
  quarantined.length > 0 &&
  html`<h4>Held-out images without a score</h4><ul class="fine">${quarantined
    .slice(0, LISTED)
    .map(({ image, split, note }) => html`<li><b>${image}</b> (${split}): ${note}</li>`)}</ul>
${quarantined.length > LISTED && html`<p class="fine">and ${count(quarantined.length - LISTED)} more: see the notes in predictions.csv.</p>`}`
}
${data !== null && html`<h4>Notes of the data reader</h4><ul class="fine">${run.notes.map((note) => html`<li class="${note.startsWith('WARNING') && 'warn'}">${note}</li>`)}</ul>`}
</section>`;
}

const LISTED = 20;
