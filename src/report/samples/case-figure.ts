import { percent } from '../../text/numbers.js';
import { type ClassFact, inColumnOrder } from '../examine-run.js';
import { score } from '../format.js';
import { type Content, type Html, html } from '../html.js';
import type { SampleCase } from './extreme-cases.js';
import { type Looked, leftShare } from './looked.js';
import { mapPicture } from './map-picture.js';
import type { Picture } from './pictures.js';

/** One image of the report: the radiograph, to be enlarged, with its labels and scores, and where the model looked. */

export interface CaseFigure {
  readonly sample: SampleCase;
  /** The class that it is shown for, and what became of it. */
  readonly fact: ClassFact;
  readonly outcome: 'right' | 'wrong' | 'missed';
  readonly looked: Looked | null;
}

/** Pictures that the page holds, by identifier, and their ids in the page. */
export interface PagePictures {
  readonly pictures: ReadonlyMap<string, Picture | null>;
  /** Before the number of a picture: two runs in one page have pictures of their own. */
  readonly prefix: string;
}

/** Predictions shown of each image. */
const SHOWN = 3;

/** All pictures, not shown themselves: figures refer to them, so that each is in the file once. */
export function pictureStore({ pictures, prefix }: PagePictures): Html {
  return html`<svg class="store" width="0" height="0" aria-hidden="true"><defs>${[...pictures.values()].map(
    (picture, i) =>
      picture &&
      html`<image id="${prefix}-${i}" width="${picture.width}" height="${picture.height}" preserveAspectRatio="none" href="${picture.uri}"/>`,
  )}</defs></svg>`;
}

export function caseFigure(shown: CaseFigure, classes: readonly ClassFact[], page: PagePictures): Html {
  const { sample, fact, outcome, looked } = shown;
  const names = inColumnOrder(classes).map(({ name }) => name);
  const own = score(sample.scores[fact.index]);
  const about = `Radiograph ${sample.image}: ${fact.name} ${outcome}, score ${own}`;
  const drawn = drawing(sample.image, looked, page);
  const picture =
    drawn === null
      ? html`<div class="no-picture">picture not found</div>`
      : html`<button type="button" class="enlarge"><svg class="radiograph" viewBox="0 0 ${drawn.width} ${drawn.height}" role="img" aria-label="${about}">${drawn.radiograph}${drawn.map}</svg><span class="unseen"> Enlarge</span></button>`;
  return html`<figure class="case" data-outcome="${outcome}">${picture}<figcaption><p class="case-title"><b>${fact.name}</b> <span class="outcome">${MARKS[outcome]} ${outcome}</span> <span class="n">${own}</span></p>
<div class="${looked !== null && drawn !== null && 'beside-map'}">${looked !== null && drawn !== null && html`<svg class="inset" viewBox="0 0 ${drawn.width} ${drawn.height}" role="img" aria-label="Where the model looked for ${fact.name}: ${sides(looked)}">${drawn.radiograph}${drawn.map}</svg>`}<div>${looked !== null && html`<p class="looked">${looked.method}: ${sides(looked)}</p>`}<ul>${predictions(sample, names)}</ul></div></div><p class="id">${sample.image}</p></figcaption></figure>`;
}

const MARKS = { right: '✓', wrong: '✗', missed: '○' } as const;

/** On a frontal view, the left half of an image is the patient's right. */
function sides(looked: Looked): string {
  const left = leftShare(looked);
  if (!Number.isFinite(left)) return 'nothing stood out';
  return `R ${percent(left, 0)}, L ${percent(1 - left, 0)}`;
}

function drawing(
  image: string,
  looked: Looked | null,
  { pictures, prefix }: PagePictures,
): { width: number; height: number; radiograph: Html; map: Content } | null {
  const picture = pictures.get(image) ?? null;
  if (picture === null) return null;
  const { width, height } = picture;
  const number = [...pictures.keys()].indexOf(image);
  return {
    width,
    height,
    radiograph: html`<use class="film" href="#${prefix}-${number}"/>`,
    map:
      looked !== null &&
      html`<image class="map" width="${width}" height="${height}" preserveAspectRatio="none" href="${mapPicture(looked)}"/>`,
  };
}

/** The highest scores, and those of labelled findings further down. */
function predictions({ present, ranked, targets, scores }: SampleCase, names: readonly string[]): Html[] {
  const shown = ranked.slice(0, SHOWN);
  const missed = ranked.filter((column) => present.includes(column) && !shown.includes(column));
  const lowest = Math.max(...present.map((column) => ranked.indexOf(column)));
  return [...shown, ...missed].map((column) => {
    const target = targets[column];
    const rank = ranked.indexOf(column);
    const mistaken = target === 0 && rank < lowest;
    const [mark, style, words] =
      target === 1
        ? ['✓', 'good', 'labelled']
        : mistaken
          ? ['✗', 'bad', 'not labelled, above a labelled one']
          : target === 0
            ? ['·', 'muted', 'not labelled']
            : ['?', 'muted', 'label unknown'];
    return html`<li><span class="${style}" aria-hidden="true">${mark}</span> ${names[column]}${!shown.includes(column) && html` <span class="muted">#${rank + 1}</span>`} <span class="n">${score(scores[column])}</span><span class="unseen"> ${words}</span></li>`;
  });
}
