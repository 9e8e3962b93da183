import type { SampledFrequencies } from '../data/sampling/sampled-frequencies.js';
import type { SamplerChoice } from '../data/sampling/sampler-choice.js';
import type { CoOccurrence } from '../data/tables/co-occurrence.js';
import type { DataPart } from '../data/tables/data-source.js';
import type { FrequencyGroup } from '../data/tables/findings.js';
import type { PatientIdFacts } from '../data/tables/patient-ids.js';
import type { Finding } from './findings/finding.js';
import type { LabelOddities } from './label-oddities.js';
import type { PictureFacts } from './picture-facts.js';

/** What an inspection knows about a data set: facts only; what to think of them is in the findings. */

export type PartName = 'train' | 'validation' | 'test';

/** One part of the split, with its rows. */
export interface NamedPart extends DataPart {
  readonly name: PartName;
}

export interface PartFacts {
  readonly name: PartName;
  readonly images: number;
  /** Distinct patients; 0 where none is named. */
  readonly patients: number;
  /** Images of a patient; null where none is named. */
  readonly perPatient: { readonly median: number; readonly most: number; readonly mostOf: string } | null;
  /** Images whose known labels are all absent, and images of which no label is known. */
  readonly withoutPositives: number;
  readonly unlabelled: number;
  /** Unknown labels, of images × classes. */
  readonly unknown: number;
  /** By class: images with the finding, images where it is known, patients with it. */
  readonly classes: readonly ClassCounts[];
}

export interface ClassCounts {
  readonly positives: number;
  readonly known: number;
  readonly patients: number;
}

export interface ClassFacts {
  readonly name: string;
  /** positives / known in training; null where it is never known there. */
  readonly prevalence: number | null;
  readonly group: FrequencyGroup | null;
  readonly parts: Readonly<Partial<Record<PartName, ClassCounts>>>;
}

/** Two parts that share what they must not. */
export interface Leak {
  readonly parts: readonly [PartName, PartName];
  readonly patients: readonly string[];
  readonly images: readonly string[];
}

/** What a sampler would do to the training part. */
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
  /** What the data reader said. */
  readonly notes: readonly string[];
  readonly parts: readonly PartFacts[];
  readonly classes: readonly ClassFacts[];
  readonly leaks: readonly Leak[];
  readonly patientIds: readonly (PatientIdFacts & { readonly path: string })[];
  readonly oddities: LabelOddities;
  readonly samplers: readonly SamplerEffect[];
  /** Of the training part: as it is, and as the chosen sampler visits it (null where that is each image once). */
  readonly together: { readonly images: CoOccurrence; readonly visits: CoOccurrence | null };
  /** Null where no picture was looked at, with the reason. */
  readonly pictures: PictureFacts | null;
  readonly picturesSkipped: string | null;
  /** Why the data could not be split as the recipe says; null when they could. */
  readonly unsplit: string | null;
  /** Worst first. */
  readonly findings: readonly Finding[];
}
