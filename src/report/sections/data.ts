import { count } from '../../text/numbers.js';
import type { ExaminedRun } from '../examine-run.js';
import { html } from '../html.js';
import { numbersTable } from '../plots/plot-figure.js';
import { partSize } from '../run-labels.js';
import type { Section } from './section.js';

/** The data of the run: the split, its patients, unreadable images, and notes of the data reader. */
export function dataSection(run: ExaminedRun): Section {
  const { data, record } = run;
  const rows = (['train', 'validation', 'test'] as const).map((part) => {
    const recorded = record.summary?.data[part] ?? null;
    const found = data?.source[part] ?? null;
    const size = recorded ?? (found === null ? null : partSize(found));
    if (size === null || size.images === 0) {
      return [part, 'none', '', ''];
    }
    const patients = size.patients > 0 ? count(size.patients) : 'not named';
    return [part, count(size.images), patients, count(recorded?.unreadable)];
  });
  const quarantined = (record.predictions?.rows ?? []).filter(({ probabilities }) => probabilities === null);
  const columns = ['Part', 'Images', 'Patients', 'Unreadable, left out'].map((title) => ({ title }));
  const content = html`${numbersTable({ columns, rows }, 'Parts of the data')}
${
  quarantined.length > 0 &&
  html`<h4>Held-out images without a score</h4><ul class="fine">${quarantined
    .slice(0, LISTED)
    .map(({ image, split, note }) => html`<li><b>${image}</b> (${split}): ${note}</li>`)}</ul>
${quarantined.length > LISTED && html`<p class="fine">and ${count(quarantined.length - LISTED)} more: see the notes in predictions.csv.</p>`}`
}
${data !== null && html`<h4>Notes of the data reader</h4><ul class="fine">${run.notes.map((note) => html`<li class="${note.startsWith('WARNING') && 'warn'}">${note}</li>`)}</ul>`}`;
  return { key: 'data', title: 'Data', content };
}

const LISTED = 20;
