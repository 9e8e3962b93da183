import { basename, dirname, resolve } from 'node:path';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { htmlDocument } from '../../report/document.js';
import { withoutFolders } from '../../report/local-folders.js';
import { writeAtomically } from '../../storage/atomic-file.js';
import type { Inspection } from '../inspection.js';
import { classSection } from './class-section.js';
import { copySection } from './copy-section.js';
import { findingSection, opening } from './opening.js';
import { partSection } from './part-section.js';
import { pictureSection } from './picture-section.js';
import { samplerSection } from './sampler-section.js';
import { togetherSection } from './together-section.js';

/** An inspection as one HTML file that needs nothing else to be read. */

/**
 * Writes the page; the same data give the same bytes.
 * @throws StorageError
 */
export async function writeInspectionPage(
  path: string,
  inspection: Inspection,
  recipe: Pick<Recipe, 'preprocessing'>,
): Promise<void> {
  await writeAtomically(path, await renderInspection(inspection, recipe));
}

/** The text of the file, in the order in which a reader asks. */
export async function renderInspection(
  given: Inspection,
  { preprocessing }: Pick<Recipe, 'preprocessing'>,
): Promise<string> {
  const inspection = withoutPlaces(given);
  return htmlDocument({
    title: `${inspection.path} · tailray inspect`,
    heading: 'tailray: a data set before training',
    body: [
      opening(inspection),
      findingSection(inspection),
      classSection(inspection),
      samplerSection(inspection),
      togetherSection(inspection),
      partSection(inspection),
      pictureSection(inspection),
      await copySection(given, preprocessing),
    ],
  }).text;
}

/** The texts without the folders of this machine: the page is passed on. */
function withoutPlaces(inspection: Inspection): Inspection {
  const { path, imageRoot, notes, findings, pictures, picturesSkipped } = inspection;
  const local = withoutFolders([imageRoot, path, dirname(resolve(path))]);
  return {
    ...inspection,
    path: basename(resolve(path)),
    notes: notes.map(local),
    pictures: pictures && {
      ...pictures,
      unusable: pictures.unusable.map((each) => ({ ...each, reason: local(each.reason) })),
    },
    picturesSkipped: picturesSkipped && local(picturesSkipped),
    findings: findings.map((finding) => ({
      ...finding,
      what: local(finding.what),
      where: finding.where && local(finding.where),
    })),
  };
}
