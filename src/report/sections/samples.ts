import { decimals } from '../../text/numbers.js';
import { type ClassFact, type ExaminedRun, inColumnOrder } from '../examine-run.js';
import { type Html, html } from '../html.js';
import { chooseCases, type SampleCase } from '../sample-cases.js';
import { Thumbnails } from '../thumbnail.js';

/** Images with their labels and their predictions: the best cases and the worst. */
export async function samples({ record, data, classes, primary }: ExaminedRun): Promise<Html | null> {
  if (data === null || primary === null) return null;
  const { best, worst } = chooseCases(primary, CASES);
  const thumbnails = new Thumbnails(data.source.imageRoot, record.final.preprocessing);
  const ofColumn = inColumnOrder(classes);
  const cards = async (cases: readonly SampleCase[]) => {
    const uris = await Promise.all(cases.map(({ image }) => thumbnails.uri(image)));
    return cases.map((sample, i) => card(sample, uris[i] ?? null, ofColumn));
  };
  return html`<section><h3>Images, best and worst</h3>
<h4>Right: every labelled finding above every absent one, by the widest margin</h4>
${await group(cards, best)}
<h4>Wrong: an absent finding above a labelled one, by the widest margin</h4>
${await group(cards, worst)}
<p class="fine">From ${primary.name}; each patient and each set of findings at most once in a row. In bold what is labelled, below it the highest probabilities: ✓ labelled, ✗ absent but above a labelled one, · absent and below, ? unknown; # is the rank of a finding further down. Windowed as for the network. These pictures are part of this file: pass it on only as the data’s terms allow.</p>
</section>`;
}

/** In each row. */
const CASES = 6;
/** Predictions shown of each image. */
const SHOWN = 3;

async function group(
  cards: (cases: readonly SampleCase[]) => Promise<Html[]>,
  cases: readonly SampleCase[],
): Promise<Html> {
  if (cases.length === 0) return html`<p class="muted">There is no such image.</p>`;
  return html`<div class="samples">${await cards(cases)}</div>`;
}

function card(sample: SampleCase, uri: string | null, classes: readonly ClassFact[]): Html {
  const { image, present, ranked, targets, scores } = sample;
  const name = (column: number) => classes[column]?.name ?? '';
  const shown = ranked.slice(0, SHOWN);
  const missed = present.filter((column) => !shown.includes(column));
  const lowest = Math.max(...present.map((column) => ranked.indexOf(column)));
  const item = (column: number) => {
    const target = targets[column];
    const mistaken = target === 0 && ranked.indexOf(column) < lowest;
    const [mark, style] =
      target === 1 ? ['✓', 'right'] : mistaken ? ['✗', 'wrong'] : [target === 0 ? '·' : '?', 'muted'];
    const rank = shown.includes(column)
      ? null
      : html` <span class="muted">#${ranked.indexOf(column) + 1}</span>`;
    return html`<li><span class="${style}">${mark}</span> ${name(column)}${rank} <span class="n">${decimals(scores[column], 2)}</span></li>`;
  };
  return html`<figure class="sample">${
    uri === null
      ? html`<div class="no-picture">picture not found</div>`
      : html`<img src="${uri}" alt="Radiograph ${image}" loading="lazy">`
  }<figcaption><b>${present.map(name).join(', ')}</b><ul>${shown.map(item)}${missed.map(item)}</ul><span class="muted id">${image}</span></figcaption></figure>`;
}
