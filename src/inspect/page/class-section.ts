import { type Html, html } from '../../report/html.js';
import { classBars } from '../../report/plots/class-bars.js';
import { count, percent, roundPercent } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';
import { fromHeadToTail } from '../inspection-text.js';
import type { ClassFacts } from '../part-facts.js';

/** The long tail: every class from the most to the least common, as a picture and as a table. */
export function classSection(inspection: Inspection): Html | null {
  const classes = fromHeadToTail(inspection.classes);
  if (classes.length === 0) return null;
  const held = (['validation', 'test'] as const).filter((name) =>
    inspection.parts.some((part) => part.name === name),
  );
  const people = inspection.patientIds.length > 0;
  const unknown = inspection.parts.some((part) => part.unknown > 0);
  const train = inspection.parts.find(({ name }) => name === 'train')?.images ?? 0;
  return html`<section><h3>The long tail, class by class</h3>
<div class="beside">${bars(inspection, classes)}<div class="scroll"><table class="classes">
<caption>From most to least common in training</caption>
<thead><tr><th>Class</th><th>Group</th><th class="n">Share</th><th class="n">Train +</th><th class="n">Patients +</th>${held.map((name) => html`<th class="n">${name === 'test' ? 'Test +' : 'Val +'}</th>`)}${unknown && html`<th class="n">Unknown</th>`}</tr></thead>
<tbody>${classes.map(
    ({ name, group, prevalence, parts }) =>
      html`<tr><th scope="row">${name}</th><td>${group !== null && html`<span class="chip ${group}">${group}</span>`}</td><td class="n">${percent(prevalence)}</td><td class="n">${count(parts.train?.positives)}</td><td class="n">${people ? count(parts.train?.patients) : '–'}</td>${held.map((part) => html`<td class="n">${count(parts[part]?.positives)}</td>`)}${unknown && html`<td class="n">${percent(train > 0 ? 1 - (parts.train?.known ?? 0) / train : null)}</td>`}</tr>
`,
  )}</tbody>
</table></div></div>
<p class="fine">+: images labelled positive; patients +: different patients among those in training. Head: more than 10 % of the training images whose label is known; tail: less than 1 %.</p>
</section>`;
}

function bars({ samplers }: Inspection, classes: readonly ClassFacts[]): Html | null {
  const shares = classes.flatMap(({ prevalence }) => prevalence || []);
  if (shares.length === 0) return null;
  const chosen = samplers.find((effect) => effect.chosen);
  const after = new Map(chosen?.frequencies.classes.map((each) => [each.name, each.after]));
  const chart = classBars(
    classes.map(({ name, prevalence, group, parts }) => ({
      name,
      value: prevalence || Number.NaN,
      tick: after.get(name) || null,
      note: count(parts.train?.positives),
      style: group ?? 'none',
    })),
    {
      scale: 'log',
      domain: [10 ** Math.floor(Math.log10(Math.min(...shares)) - 0.01), 1],
      label: 'share of training images (log scale), their number',
      format: roundPercent,
    },
    'How common each class is in training',
  );
  return html`<figure><figcaption>How common in training</figcaption>${chart}
<p class="legend">${(['head', 'medium', 'tail'] as const).map((group) => html`<span class="chip ${group}">${group}</span> `)}${chosen && html`<span class="guess-key"></span> share of the visits with ${chosen.choice.name}`}</p></figure>`;
}
