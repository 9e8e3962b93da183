import type { SampledFrequencies } from '../data/sampling/sampled-frequencies.js';
import type { SamplerChoice } from '../data/sampling/sampler-choice.js';
import type { CoOccurrence } from '../data/tables/co-occurrence.js';
import type { PatientIdFacts } from '../data/tables/patient-ids.js';
import type { Finding } from './findings/finding.js';
import type { LabelOddities } from './label-oddities.js';
import type { ClassFacts, Leak, PartFacts } from './part-facts.js';
import type { PictureFacts } from './picture-facts.js';

/** The facts about a data set: facts only; the findings judge them. */

/** The effect of a sampler on the training part. */
export interface SamplerEffect {
  readonly choice: SamplerChoice;
  /** Whether it is the recipe's, or the one asked for. */
  readonly chosen: boolean;
  readonly frequencies: SampledFrequencies;
}

export interface Inspection {
  readonly path: string;
  /** Layout of the training table. */
  readonly layout: string;
  /** Folder that image identifiers are relative to. */
  readonly imageRoot: string;
  /** Whether patients stand here by their identifiers; else as `#1`, `#2`, … */
  readonly idsShown: boolean;
  /** Notes of the data reader. */
  readonly notes: readonly string[];
  readonly parts: readonly PartFacts[];
  readonly classes: readonly ClassFacts[];
  readonly leaks: readonly Leak[];
  readonly patientIds: readonly (PatientIdFacts & { readonly path: string })[];
  readonly oddities: LabelOddities;
  readonly samplers: readonly SamplerEffect[];
  /**
   * Of the training part: as it is, and as the chosen sampler visits it (null where that is each image once). Null as a
   * whole where there are too many classes to count pairs of.
   */
  readonly together: { readonly images: CoOccurrence; readonly visits: CoOccurrence | null } | null;
  /** Null where no picture was looked at, with the reason. */
  readonly pictures: PictureFacts | null;
  readonly picturesSkipped: string | null;
  /** Why the data could not be split as the recipe says; null when they could. */
  readonly unsplit: string | null;
  /** Worst first. */
  readonly findings: readonly Finding[];
}
