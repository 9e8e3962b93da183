import { counted } from '../../text/numbers.js';
import { type ClassFact, classSummary, type ExaminedRun, type PrimaryPart } from '../examine-run.js';
import { score } from '../format.js';
import { type Html, html } from '../html.js';
import { type CaseFigure, caseFigure, type PagePictures, pictureStore } from '../samples/case-figure.js';
import { classCases, OUTCOMES, type Outcome } from '../samples/class-cases.js';
import { extremeCases, type SampleCase, sampleCase } from '../samples/extreme-cases.js';
import type { Looked } from '../samples/looked.js';
import { type Picture, readPictures } from '../samples/pictures.js';
import { orReason, type RunMaps, type WithoutMaps } from '../samples/run-maps.js';
import { thresholdOf } from '../thresholds.js';
import type { Section } from './section.js';

/** Images with their labels and their predictions: the clearest of all, then of each class right, wrong and missed. */

export interface SamplesOptions {
  /** Of the run's article: pictures and headings have ids below it. */
  readonly id: string;
  /** Characters that pictures may take in the page. */
  readonly budget: number;
  /** Of where the model looked; null where nobody asked for them. */
  readonly maps: RunMaps | WithoutMaps | null;
}

/** Of all classes together, in each row. */
const EXTREMES = 6;
/** Of each class and outcome: one where there are many classes, so that it can be large. */
const MANY_CLASSES = 12;

const TITLES: Readonly<Record<Outcome, string>> = {
  right: 'Right: labelled and found, highest score',
  wrong: 'Wrong: not labelled, highest score',
  missed: 'Missed: labelled, lowest score',
};

type Shown = Omit<CaseFigure, 'looked'>;

export async function samples(run: ExaminedRun, options: SamplesOptions): Promise<Section | null> {
  const { record, data, classes, primary } = run;
  if (data === null || primary === null) return null;
  const extremes = extremeCases(primary, EXTREMES);
  const best = extremes.best.flatMap((sample) => shownFor(sample, 'right', classes));
  const worst = extremes.worst.flatMap((sample) => shownFor(sample, 'wrong', classes));
  const byClass = classes.map((fact) => ({ fact, shown: shownOfClass(run, primary, fact) }));
  const all = [...best, ...worst, ...byClass.flatMap(({ shown }) => OUTCOMES.flatMap((each) => shown[each]))];
  const pictures = await readPictures(
    all.map(({ sample }) => sample.image),
    { root: data.source.imageRoot, preprocessing: record.final.preprocessing, budget: options.budget },
  );
  const maps = await lookedAt(run, all, pictures, options.maps);
  const page: PagePictures = { pictures, prefix: `${options.id}-picture` };
  const figure = (shown: Shown) =>
    caseFigure({ ...shown, looked: ('reason' in maps ? null : maps.get(shown)) ?? null }, classes, page);
  const row = (shown: readonly Shown[]) =>
    shown.length === 0
      ? html`<p class="muted">There is no such image.</p>`
      : html`<div class="samples">${shown.map(figure)}</div>`;
  const content = html`${pictureStore(page)}
<p class="fine">From ${primary.name}. Enlarge a picture to set its window and level. ${KEY}</p>
<h4>Clearest of all: every labelled finding above every absent one, by the widest margin</h4>
${row(best)}
<h4>Furthest off: an absent finding above a labelled one, by the widest margin</h4>
${row(worst)}
<nav class="jump" aria-label="Images of a class"><ul>${byClass.map(({ fact }, i) => html`<li><a href="#${options.id}-class-${i + 1}">${fact.name}</a></li>`)}</ul></nav>
${byClass.map(({ fact, shown }, i) => classBlock(run, fact, shown, { id: `${options.id}-class-${i + 1}`, figure }))}
<p class="fine">Found is an image whose score for the class reaches its threshold: the one that gives the best F1 on validation, or where validation has none, on these images. Each patient is shown at most once in a row. Pictures are windowed as for the network, and are part of this file: pass it on only as the data’s terms allow. ${'reason' in maps ? maps.reason !== '' && `There are no maps of where the model looked: ${maps.reason}` : maps.size > 0 && MAPS}</p>`;
  return { key: 'images', title: 'Images', content };
}

const KEY =
  'Below each are the highest scores and those of labelled findings: ✓ labelled, ✗ absent but above a labelled one, · absent and below, ? unknown; # is the rank of a finding further down.';

const MAPS =
  'Where the model looked: pale yellow most, violet little, clear not at all; R and L are the shares on either side of the patient on a frontal view, whose right is on the image’s left. A map says what moved the score, not that the model saw a finding there.';

/** Maps of the images whose pictures can be read; a reason that is empty where nobody asked for maps. */
async function lookedAt(
  run: ExaminedRun,
  all: readonly Shown[],
  pictures: ReadonlyMap<string, Picture | null>,
  maps: SamplesOptions['maps'],
): Promise<Map<Shown, Looked | null> | WithoutMaps> {
  if (maps === null) return { reason: '' };
  if ('reason' in maps) return maps;
  const readable = all.filter(({ sample }) => pictures.get(sample.image));
  if (readable.length === 0) return new Map();
  const looked = await orReason(run, () =>
    maps.lookAt(readable.map(({ sample, fact }) => ({ image: sample.image, column: fact.index }))),
  );
  return 'reason' in looked ? looked : new Map(readable.map((shown, i) => [shown, looked[i] ?? null]));
}

function shownOfClass(run: ExaminedRun, primary: PrimaryPart, fact: ClassFact): Record<Outcome, Shown[]> {
  const most = run.classes.length > MANY_CLASSES ? 1 : 2;
  const cases = classCases(primary, fact.index, thresholdOf(run, fact).value, most);
  const shown = (outcome: Outcome) =>
    cases[outcome].map(({ row }): Shown => ({ sample: sampleCase(primary, row), fact, outcome }));
  return { right: shown('right'), wrong: shown('wrong'), missed: shown('missed') };
}

/** An image that stands for no class of its own is shown for the most probable finding that is right, or wrong. */
function shownFor(sample: SampleCase, outcome: 'right' | 'wrong', classes: readonly ClassFact[]): Shown[] {
  const column = sample.ranked.find((each) => sample.targets[each] === (outcome === 'right' ? 1 : 0));
  const fact = classes.find(({ index }) => index === column);
  return fact === undefined ? [] : [{ sample, fact, outcome }];
}

function classBlock(
  run: ExaminedRun,
  fact: ClassFact,
  shown: Record<Outcome, Shown[]>,
  { id, figure }: { id: string; figure: (shown: Shown) => Html },
): Html {
  const threshold = thresholdOf(run, fact);
  const positives = run.primary === null ? 0 : classSummary(run.primary, fact).positives;
  const heading = html`<h4 id="${id}">${fact.name} ${fact.group !== null && html`<span class="chip ${fact.group}">${fact.group}</span>`} <span class="muted">${counted(positives, 'positive')}${Number.isFinite(threshold.value) && `, found from ${score(threshold.value)} on`}</span></h4>`;
  if (OUTCOMES.every((outcome) => shown[outcome].length === 0)) {
    return html`<div class="class-images">${heading}<p class="muted">No image is labelled with it, so nothing can be found or missed.</p></div>`;
  }
  return html`<div class="class-images">${heading}<div class="outcomes">${OUTCOMES.map(
    (outcome) =>
      html`<div><h5>${TITLES[outcome]}</h5>${shown[outcome].length === 0 ? html`<p class="muted">none</p>` : shown[outcome].map(figure)}</div>`,
  )}</div></div>`;
}
