import { type Html, html } from '../../report/html.js';
import type { RunState } from '../run-state.js';

/** The latest news of the run, the newest first. */
export function notes({ notes: given }: RunState): Html {
  if (given.length === 0) return html`<p class="muted">Nothing to tell yet.</p>`;
  return html`<ul class="notes">${given.map(({ time, text }) => html`<li><time datetime="${time.toISOString()}">${clock(time)}</time> ${text}</li>`)}</ul>`;
}

function clock(time: Date): string {
  return time.toLocaleTimeString('en-GB');
}
