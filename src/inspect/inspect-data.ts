import { sampledFrequencies } from '../data/sampling/sampled-frequencies.js';
import {
  createSampler,
  describeSampler,
  type SamplerChoice,
  samplerSchema,
} from '../data/sampling/sampler-choice.js';
import { coOccurrence, PAIRED_CLASSES } from '../data/tables/co-occurrence.js';
import { type DataSource, resolveDataSource } from '../data/tables/data-source.js';
import { labelledRows } from '../data/tables/labelled-rows.js';
import { SplitError } from '../data/tables/split.js';
import { countLabels } from '../data/tables/table.js';
import { dataSourceOptions } from '../recipe/recipe-data.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { worstFirst } from './findings/finding.js';
import { idFindings } from './findings/id-findings.js';
import { labelFindings } from './findings/label-findings.js';
import { pictureFindings } from './findings/picture-findings.js';
import { splitFindings } from './findings/split-findings.js';
import { hideIds } from './hide-ids.js';
import type { Inspection, SamplerEffect } from './inspection.js';
import { labelOddities } from './label-oddities.js';
import type { NamedPart } from './named-part.js';
import { classFacts, findLeaks, partFacts } from './part-facts.js';
import { type PictureFacts, pictureFacts } from './picture-facts.js';
import { picturesAreThere, surveyPictures } from './picture-survey.js';

/** From a path to everything that should be known of a data set before training on it. */

export interface InspectOptions {
  /** Look at the pictures, where there are any; default true. */
  readonly pictures?: boolean | undefined;
  /** Name patients by their identifiers; default false. */
  readonly showIds?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Reads and splits the data as training by this recipe would, and looks at labels, identifiers and pictures.
 * @param path label table, or a folder with one
 * @throws TableError for data that cannot be read at all
 */
export async function inspectData(
  path: string,
  recipe: Pick<Recipe, 'data' | 'preprocessing' | 'sampler'>,
  options: InspectOptions = {},
): Promise<Inspection> {
  const { source, unsplit } = await readSource(path, recipe);
  const parts = partsOf(source);
  const facts = parts.map(partFacts);
  const classes = classFacts(source.classes, facts);
  const looked = await lookAtPictures(parts, source.imageRoot, recipe, options);
  const seen: Omit<Inspection, 'findings'> = {
    idsShown: true,
    path,
    layout: source.train.table.layout,
    imageRoot: source.imageRoot,
    notes: [...source.notes, ...unpairedNotes(source.classes.length)],
    parts: facts,
    classes,
    leaks: findLeaks(parts),
    patientIds: patientIds(parts),
    oddities: labelOddities(source.classes, parts),
    ...samplerEffects(source, recipe.sampler),
    ...looked,
    unsplit,
  };
  const inspection = options.showIds ? seen : hideIds(seen);
  const findings = worstFirst([
    ...splitFindings(inspection),
    ...idFindings(inspection),
    ...pictureFindings(inspection),
    ...labelFindings(inspection),
  ]);
  return { ...inspection, findings };
}

/** What is not looked at because there are too many classes. */
function unpairedNotes(classes: number): string[] {
  if (classes <= PAIRED_CLASSES) return [];
  return [
    `classes that come together were not counted: there are ${classes}, and pairs are counted of up to ${PAIRED_CLASSES}.`,
  ];
}

/** The data as the recipe splits them; as one part, with the reason, where that can't be done. */
async function readSource(
  path: string,
  recipe: Pick<Recipe, 'data'>,
): Promise<{ source: DataSource; unsplit: string | null }> {
  const wanted = dataSourceOptions(recipe.data);
  // a table without labels can be looked at, too
  const options = { ...wanted, table: { ...wanted.table, unlabelled: true } };
  try {
    return { source: await resolveDataSource(path, options), unsplit: null };
  } catch (error) {
    if (!(error instanceof SplitError)) throw error;
    const source = await resolveDataSource(path, { ...options, validation: 0, test: 0 });
    return { source, unsplit: error.message };
  }
}

function partsOf(source: DataSource): NamedPart[] {
  return (['train', 'validation', 'test'] as const).flatMap((name) => {
    const part = source[name];
    return part === null || part.indices.length === 0 ? [] : [{ name, ...part }];
  });
}

function patientIds(parts: readonly NamedPart[]): Inspection['patientIds'] {
  const tables = new Set(parts.map(({ table }) => table));
  return [...tables].flatMap(({ path, patientIds }) =>
    patientIds === null ? [] : [{ path, ...patientIds }],
  );
}

/** The samplers that are compared beside the recipe's: each with its usual settings, LVIS's form too. */
const COMPARED: readonly SamplerChoice[] = [
  { name: 'repeat-factor' },
  { name: 'repeat-factor', frequency: 'images' },
  { name: 'class-aware' },
  { name: 'square-root' },
].map((given) => samplerSchema.parse(given));

function samplerEffects(
  { train }: DataSource,
  chosen: SamplerChoice,
): Pick<Inspection, 'samplers' | 'together'> {
  const samples = labelledRows(train);
  const counted = samples.classes.length <= PAIRED_CLASSES;
  const images = counted ? coOccurrence(samples) : null;
  const together = images && { images, visits: null };
  const { positives } = countLabels(train.table, train.indices);
  if (positives.every((n) => n === 0)) return { samplers: [], together };
  const effect = (choice: SamplerChoice): SamplerEffect => ({
    choice,
    chosen: describeSampler(choice) === describeSampler(chosen),
    frequencies: sampledFrequencies(samples, createSampler(choice, samples, 0)),
  });
  const others = COMPARED.filter((choice) => describeSampler(choice) !== describeSampler(chosen));
  const samplers = (chosen.name === 'shuffled' ? others : [chosen, ...others]).map(effect);
  if (chosen.name === 'shuffled' || images === null) return { samplers, together };
  const { expected } = createSampler(chosen, samples, 0);
  return { samplers, together: { images, visits: coOccurrence(samples, expected) } };
}

async function lookAtPictures(
  parts: readonly NamedPart[],
  root: string,
  { preprocessing, data }: Pick<Recipe, 'preprocessing' | 'data'>,
  { pictures = true, onProgress }: InspectOptions,
): Promise<{ pictures: PictureFacts | null; picturesSkipped: string | null }> {
  if (!pictures) return { pictures: null, picturesSkipped: 'it was asked not to' };
  if (!(await picturesAreThere(parts, root))) {
    return {
      pictures: null,
      picturesSkipped: `there are none under ${root} (name their folder with --images)`,
    };
  }
  const survey = await surveyPictures(parts, { root, lenient: data.lenient, onProgress });
  return { pictures: pictureFacts(survey, preprocessing.size), picturesSkipped: null };
}
