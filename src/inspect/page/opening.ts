import { type Html, html } from '../../report/html.js';
import { count, counted, decimals, percent, ratio } from '../../text/numbers.js';
import { LEVELS } from '../findings/finding.js';
import type { Inspection } from '../inspection.js';

/** The data set in five figures, and the findings. */
export function opening({ path, layout, parts, classes, pictures, findings }: Inspection): Html {
  const images = parts.reduce((sum, part) => sum + part.images, 0);
  const patients = parts.reduce((sum, part) => sum + part.patients, 0);
  const unknown = parts.reduce((sum, part) => sum + part.unknown, 0);
  const group = (name: string) => classes.filter((each) => each.group === name).length;
  const positives = classes.flatMap((each) => each.parts.train?.positives || []);
  const [most, least] = [Math.max(...positives), Math.min(...positives)];
  const levels = LEVELS.map(
    (level) => [level, findings.filter((each) => each.level === level).length] as const,
  );
  const tile = (title: string, figure: string, fine: string) =>
    html`<div class="tile"><h3>${title}</h3><span class="figure">${figure}</span><p class="fine">${fine}</p></div>`;
  return html`<header><h2>${path}</h2>
<p class="lead">${counted(images, 'image')} in the ${layout} layout: ${parts.map((part) => `${count(part.images)} ${part.name}`).join(', ')}. ${levels
    .filter(([, n]) => n > 0)
    .map(([level, n]) => (level === 'serious' ? `${n} serious` : counted(n, level)))
    .join(', ')} below.</p>
<div class="tiles">
${tile('Images', count(images), pictures === null ? 'pictures not looked at' : `${count(pictures.readable)} readable`)}
${tile('Patients', patients > 0 ? count(patients) : '–', patients > 0 ? `${decimals(images / patients, 1)} images each` : 'not named')}
${tile('Classes', count(classes.length), `${group('head')} head, ${group('medium')} medium, ${group('tail')} tail`)}
${tile('Imbalance', positives.length > 1 ? `${ratio(most / least)} : 1` : '–', 'most common to rarest class, training')}
${tile('Unknown labels', percent(classes.length > 0 ? unknown / (images * classes.length) : null), 'masked out, never negatives')}
</div></header>`;
}

/** Everything odd, worst first. */
export function findingSection({ findings }: Inspection): Html {
  if (findings.length === 0) return html`<section><h3>Findings</h3><p>Nothing odd was found.</p></section>`;
  return html`<section><h3>Findings, worst first</h3>
<ul class="findings">${findings.map(
    ({ level, what, where, advice }) =>
      html`<li class="${level}"><span class="chip">${level}</span><b>${what}</b>${where !== null && html`<span class="fine">Where: ${where}</span>`}${advice !== null && html`<span>${advice}</span>`}</li>
`,
  )}</ul></section>`;
}
