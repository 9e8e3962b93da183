import type { Preprocessing } from '../../data/images/preprocessing.js';
import { type Html, html } from '../../report/html.js';
import { Thumbnails } from '../../report/thumbnail.js';
import { count, decimals } from '../../text/numbers.js';
import type { CopyGroup } from '../copies.js';
import type { Inspection } from '../inspection.js';

/** Groups that are shown, and members of each. */
const GROUPS = 9;
const MEMBERS = 3;

/** Radiographs under several names, side by side: whether they are copies is for a person to see. */
export async function copySection(
  { pictures, imageRoot, idsShown }: Inspection,
  preprocessing: Preprocessing,
): Promise<Html | null> {
  if (pictures === null) return null;
  const { copies } = pictures;
  if (copies.length === 0) {
    return html`<section><h3>Copies</h3><p class="right">No radiograph occurs twice.</p><p class="fine">${HOW}</p></section>`;
  }
  const thumbnails = new Thumbnails(imageRoot, preprocessing);
  const shown: Html[] = [];
  for (const group of copies.slice(0, GROUPS)) shown.push(await groupFigure(group, thumbnails, idsShown));
  return html`<section><h3>Copies (${count(copies.length)})</h3>
<div class="grid3">${shown}</div>
${copies.length > GROUPS && html`<p class="fine">and ${count(copies.length - GROUPS)} more: --json names them all.</p>`}
<p class="fine">${HOW} These pictures are part of this file: pass it on only as the data’s terms allow.</p>
</section>`;
}

const HOW =
  'Identical: the same grey values. Near: a 64-bit hash of the low frequencies within 8 bits, and the detail of 32 × 32 ' +
  'pixels that correlates at 0.955 or more. Cropped, turned, mirrored or locally equalised copies are not found.';

async function groupFigure(
  { kind, members, parts, patients, labelsDiffer, correlation }: CopyGroup,
  thumbnails: Thumbnails,
  idsShown: boolean,
): Promise<Html> {
  const first = members.slice(0, MEMBERS);
  const uris = await Promise.all(first.map(({ image }) => thumbnails.uri(image)));
  const remarks = [
    kind === 'identical' ? 'identical' : `near, correlation ${decimals(correlation, 4)}`,
    ...(parts.length > 1 ? [`in ${parts.join(' and ')}`] : []),
    ...(patients > 1 ? [`${patients} patients`] : []),
    ...(labelsDiffer ? ['labels differ'] : []),
  ];
  return html`<figure><figcaption>${remarks.join('; ')}</figcaption><div class="samples three">${first.map(
    ({ image, part, patient }, i) =>
      html`<figure class="sample">${uris[i] === null ? html`<div class="no-picture">picture not found</div>` : html`<img src="${uris[i]}" alt="Radiograph ${image}" loading="lazy">`}<figcaption class="id">${image}<br>${part}${idsShown && patient !== null && `, patient ${patient}`}</figcaption></figure>`,
  )}</div>${members.length > MEMBERS && html`<p class="fine">and ${members.length - MEMBERS} more</p>`}</figure>`;
}
