import type { SamplerChoice } from '../../data/sampling/sampler-choice.js';
import type { FrequencyGroup } from '../../data/tables/findings.js';
import { type Html, html } from '../../report/html.js';
import { count, percent, ratio } from '../../text/numbers.js';
import type { Inspection, SamplerEffect } from '../inspection.js';
import { fromHeadToTail } from '../inspection-text.js';

/** The frequencies of the classes under each sampler. */
export function samplerSection({ samplers, classes }: Inspection): Html | null {
  if (samplers.length === 0) return null;
  const column = (each: (effect: SamplerEffect) => Html) => samplers.map(each);
  const after = (effect: SamplerEffect, name: string) =>
    effect.frequencies.classes.find((each) => each.name === name);
  return html`<section><h3>The classes under each sampler</h3>
<div class="scroll"><table>
<caption>Share of an epoch’s visits with each finding, training part</caption>
<thead><tr><th>Class</th><th>Group</th><th class="n">Each image once</th>${column((effect) => html`<th class="n">${effect.chosen && '▸ '}${effect.choice.name}<span class="below">${form(effect.choice)}</span></th>`)}</tr></thead>
<tbody>${fromHeadToTail(classes).map(
    ({ name, group }) =>
      html`<tr><th scope="row">${name}</th><td>${group !== null && html`<span class="chip ${group}">${group}</span>`}</td><td class="n">${percent(samplers[0] && after(samplers[0], name)?.before)}</td>${column((effect) => html`<td class="n">${percent(after(effect, name)?.after)}</td>`)}</tr>
`,
  )}</tbody>
<tfoot>${(['head', 'medium', 'tail'] as const).map((group) => groupRow(group, samplers))}
<tr><th scope="row">Visits of an epoch</th><td></td><td class="n">${count(samplers[0]?.frequencies.images)}</td>${column(({ frequencies }) => html`<td class="n">${count(frequencies.length)}</td>`)}</tr>
<tr><th scope="row">Of one image at most, about</th><td></td><td class="n">1</td>${column(({ frequencies: { most } }) => html`<td class="n">${ratio(most)}</td>`)}</tr>
</tfoot></table></div>
<p class="fine">Expected values. Class-aware and square-root sampling draw images without a finding as one class more. ${samplers.some(({ chosen }) => chosen) && '▸ the sampler of the recipe. '}The more often a few images are visited, the sooner they are learnt by heart.</p>
</section>`;
}

function groupRow(group: FrequencyGroup, samplers: readonly SamplerEffect[]): Html | null {
  const mean = (effect: SamplerEffect | undefined, which: 'before' | 'after') => {
    const members =
      effect?.frequencies.classes.filter((each) => each.group === group && each.positives > 0) ?? [];
    return members.length === 0 ? null : members.reduce((sum, each) => sum + each[which], 0) / members.length;
  };
  const [first] = samplers;
  if (mean(first, 'before') === null) return null;
  return html`<tr><th scope="row">Mean</th><td><span class="chip ${group}">${group}</span></td><td class="n">${percent(mean(first, 'before'))}</td>${samplers.map((effect) => html`<td class="n"><b>${percent(mean(effect, 'after'))}</b></td>`)}</tr>`;
}

function form(choice: SamplerChoice): string {
  if (choice.name === 'shuffled') return '';
  if (choice.name !== 'repeat-factor')
    return choice.epochFactor === 1 ? '' : `${choice.epochFactor} × the images`;
  return `${choice.frequency === 'images' ? 'by images' : 'by label mass'}, t ${choice.threshold}`;
}
