import { type Html, html } from '../../report/html.js';
import { count, percent } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';

/** The parts of the split, the patients and images that they share, and the notes of the data reader. */
export function partSection({ parts, classes, leaks, notes }: Inspection): Html {
  return html`<section><h3>Parts</h3>
<div class="scroll"><table>
<thead><tr><th>Part</th><th class="n">Images</th><th class="n">Patients</th><th class="n">Images of a patient, median</th><th class="n">most</th><th class="n">Without a positive</th><th class="n">Without a label</th><th class="n">Unknown labels</th></tr></thead>
<tbody>${parts.map(
    ({ name, images, patients, perPatient, withoutPositives, unlabelled, unknown }) =>
      html`<tr><th scope="row">${name}</th><td class="n">${count(images)}</td><td class="n">${perPatient === null ? 'not named' : count(patients)}</td><td class="n">${count(perPatient?.median)}</td><td class="n">${count(perPatient?.most)}</td><td class="n">${count(withoutPositives)} <span class="muted">(${percent(withoutPositives / images)})</span></td><td class="n">${count(unlabelled)}</td><td class="n">${percent(classes.length > 0 ? unknown / (images * classes.length) : null)}</td></tr>
`,
  )}</tbody></table></div>
${
  leaks.length === 0
    ? html`<p class="right">No patient and no image stands in two parts.</p>`
    : html`<p class="wrong">In two parts: ${leaks.map(({ parts: names, patients, images }, i) => html`${i > 0 && '; '}${names.join(' and ')}: ${count(patients.length)} patients, ${count(images.length)} images`)}.</p>`
}
<h4>Notes of the data reader</h4>
<ul class="fine">${notes.map((note) => html`<li class="${note.startsWith('WARNING') && 'warn'}">${note}</li>`)}</ul>
</section>`;
}
