import type { Preprocessing } from '../../data/images/preprocessing.js';
import { type Html, html } from '../../report/html.js';
import { type Picture, readPictures } from '../../report/samples/pictures.js';
import { count, decimals } from '../../text/numbers.js';
import type { CopyGroup } from '../copies.js';
import type { Inspection } from '../inspection.js';

/** Groups that are shown, and members of each. */
const GROUPS = 9;
const MEMBERS = 3;
/** Of the longer side of a picture, and the characters of all in the page. */
const PIXELS = 256;
const BUDGET = 1e6;

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
  const groups = copies.slice(0, GROUPS);
  const images = groups.flatMap(({ members }) => members.slice(0, MEMBERS).map(({ image }) => image));
  const options = { root: imageRoot, preprocessing, longest: PIXELS, budget: BUDGET };
  const files = await readPictures(images, options);
  const shown = groups.map((group) => groupFigure(group, files, idsShown));
  return html`<section><h3>Copies (${count(copies.length)})</h3>
<div class="grid3">${shown}</div>
${copies.length > GROUPS && html`<p class="fine">and ${count(copies.length - GROUPS)} more: --json names them all.</p>`}
<p class="fine">${HOW} These pictures are part of this file: pass it on only as the data’s terms allow.</p>
</section>`;
}

const HOW =
  'Identical: the same grey values. Near: a 64-bit hash of the low frequencies within 8 bits, and the detail of 32 × 32 ' +
  'pixels that correlates at 0.955 or more. Cropped, turned, mirrored or locally equalised copies are not found.';

function groupFigure(
  { kind, members, parts, patients, labelsDiffer, correlation }: CopyGroup,
  files: ReadonlyMap<string, Picture | null>,
  idsShown: boolean,
): Html {
  const first = members.slice(0, MEMBERS);
  const remarks = [
    kind === 'identical' ? 'identical' : `near, correlation ${decimals(correlation, 4)}`,
    ...(parts.length > 1 ? [`in ${parts.join(' and ')}`] : []),
    ...(patients > 1 ? [`${patients} patients`] : []),
    ...(labelsDiffer ? ['labels differ'] : []),
  ];
  return html`<figure><figcaption>${remarks.join('; ')}</figcaption><div class="samples three">${first.map(
    ({ image, part, patient }) =>
      html`<figure class="sample">${pictureOf(image, files)}<figcaption class="id">${image}<br>${part}${idsShown && patient !== null && `, patient ${patient}`}</figcaption></figure>`,
  )}</div>${members.length > MEMBERS && html`<p class="fine">and ${members.length - MEMBERS} more</p>`}</figure>`;
}

function pictureOf(image: string, files: ReadonlyMap<string, Picture | null>): Html {
  const picture = files.get(image) ?? null;
  if (picture === null) return html`<div class="no-picture">picture not found</div>`;
  const { uri, width, height } = picture;
  return html`<img src="${uri}" width="${width}" height="${height}" alt="Radiograph ${image}" loading="lazy">`;
}
