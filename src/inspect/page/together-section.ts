import { type CoOccurrence, conditionalShare } from '../../data/tables/co-occurrence.js';
import { type Html, html } from '../../report/html.js';
import { heatMap, heatMapLegend } from '../../report/plots/heat-map.js';
import { percent } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';
import { fromHeadToTail } from '../inspection-text.js';

/** More classes than this are too small to see. */
const MOST = 45;

/** Which findings come together, in the images and as the sampler visits them. */
export function togetherSection({ together, classes, samplers }: Inspection): Html | null {
  if (together === null) return null;
  const { images, visits } = together;
  const present = fromHeadToTail(classes)
    .map(({ name }) => images.classes.indexOf(name))
    .filter((c) => (images.pairs[c * (images.classes.length + 1)] ?? 0) > 0);
  if (present.length < 2) return null;
  const shown = present.slice(0, MOST);
  const chosen = samplers.find((effect) => effect.chosen);
  const maps = [
    figure(images, shown, 'Each image once'),
    visits !== null && figure(visits, shown, `As ${chosen?.choice.name ?? 'the sampler'} visits them`),
  ];
  return html`<section><h3>Which findings come together</h3>
<p>Of the images with the finding of a row, the share that also has the finding of a column${visits === null ? '' : ', before and after sampling: what is visited for one finding brings others along'}.</p>
${heatMapLegend()}
<div class="grid2">${maps}</div>
<p class="fine">Training part, most common class first; numbers are percentages.${present.length > MOST && ` The ${MOST} most common of ${present.length} classes.`}${visits === null && ' With --sampler, what a sampler does to it stands beside it.'}</p>
</section>`;
}

function figure(counted: CoOccurrence, shown: readonly number[], caption: string): Html {
  const name = (i: number) => counted.classes[shown[i] ?? -1] ?? '';
  const share = (i: number, j: number) => conditionalShare(counted, shown[i] ?? -1, shown[j] ?? -1);
  const chart = heatMap({
    names: shown.map((_, i) => name(i)),
    value: (i, j) => (i === j ? null : share(i, j)),
    title: (i, j) => `${percent(share(i, j))} of ${name(i)} also have ${name(j)}`,
    description: `Which findings come together: ${caption}`,
  });
  return html`<figure><figcaption>${caption}</figcaption>${chart}</figure>`;
}
