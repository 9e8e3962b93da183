import { type Html, html } from '../../report/html.js';
import { decimals, signed } from '../../text/numbers.js';
import type { RunState } from '../run-state.js';
import type { WatchedImages } from '../watched-images.js';

/** Unlabelled findings shown of each image: those with the highest probabilities. */
const OTHERS = 3;

/** The same validation images through the whole stage, with what the network says of them now, and how that has changed. */
export function predictions({ watched, onDevice }: RunState): Html {
  if (watched === null || watched.positions.length === 0) {
    const why =
      onDevice === null ? 'The data are not read yet.' : 'No labelled image is held out for validation.';
    return html`<p class="muted">${why}</p>`;
  }
  const { latest, before } = watched.validations;
  const stage = onDevice?.stage.number ?? 1;
  return html`<div class="watched">${watched.positions.map((_, place) => card(watched, stage, place))}</div>
<p class="fine">${
    latest === null
      ? 'Probabilities come with the next validation of this session.'
      : `Probabilities of epoch ${latest.epoch}${before === null ? '' : `, and their change since epoch ${before.epoch}`}.`
  } ✓ labelled, ✗ absent but above a labelled one, · absent and below, ? unknown. The recipe’s seed has chosen the images from the validation part, as many sets of findings and patients as fit. Shown as the network sees them.</p>`;
}

function card(watched: WatchedImages, stage: number, place: number): Html {
  const labels = watched.labels(place);
  const image = watched.image(place);
  const name = (column: number) => watched.classes[column] ?? '';
  const present = [...labels.keys()].filter((column) => labels[column] === 1);
  return html`<figure class="case"><img src="images/${stage}-${place}.png" alt="Radiograph ${image}"><figcaption><b>${present.map(name).join(', ')}</b>${rows(watched, place, { labels, present, name })}<span class="id">${image}</span></figcaption></figure>`;
}

interface Labelled {
  readonly labels: Float32Array;
  readonly present: readonly number[];
  name(column: number): string;
}

function rows(watched: WatchedImages, place: number, { labels, present, name }: Labelled): Html | null {
  const { latest, before } = watched.validations;
  const now = latest?.rows[place];
  if (now === undefined) return null;
  const score = (column: number) => now[column] ?? 0;
  const downwards = (a: number, b: number) => score(b) - score(a);
  const others = [...labels.keys()].filter((column) => labels[column] !== 1).sort(downwards);
  const lowest = Math.min(...present.map(score));
  const item = (column: number) => {
    const [mark, style] =
      labels[column] === 1
        ? ['✓', 'good']
        : labels[column] === 0 && score(column) > lowest
          ? ['✗', 'bad']
          : [labels[column] === 0 ? '·' : '?', 'muted'];
    const earlier = before?.rows[place]?.[column];
    const change =
      earlier !== undefined && html`<span class="n muted">${signed(score(column) - earlier, 2)}</span>`;
    return html`<li><span><span class="${style}">${mark}</span> ${name(column)}</span> <span class="n">${decimals(score(column), 2)}</span> ${change}</li>`;
  };
  return html`<ul>${[...present].sort(downwards).map(item)}${others.slice(0, OTHERS).map(item)}</ul>`;
}
