import { type FrequencyGroup, frequencyGroup } from '../data/tables/findings.js';
import { sharedPatients } from '../data/tables/split.js';
import type { NamedPart, PartName } from './named-part.js';

/** Counts of the parts of a split, of the classes in them, and of patients and images that two parts share. */

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

/** Two parts that share patients or images, which they must not. */
export interface Leak {
  readonly parts: readonly [PartName, PartName];
  readonly patients: readonly string[];
  readonly images: readonly string[];
}

/** Everything that one part's rows say. */
export function partFacts({ name, table, indices }: NamedPart): PartFacts {
  const width = table.classes.length;
  const positives = new Uint32Array(width);
  const known = new Uint32Array(width);
  const patientsWith = Array.from({ length: width }, () => new Set<string>());
  const imagesOf = new Map<string, number>();
  let [withoutPositives, unlabelled, unknown] = [0, 0, 0];
  for (const index of indices) {
    const patient = table.rows[index]?.patient ?? null;
    if (patient !== null) imagesOf.set(patient, (imagesOf.get(patient) ?? 0) + 1);
    let [ownKnown, ownPositives] = [0, 0];
    for (let c = 0; c < width; c++) {
      const label = table.labels[index * width + c] ?? Number.NaN;
      if (Number.isNaN(label)) continue;
      ownKnown++;
      known[c] = (known[c] ?? 0) + 1;
      if (label <= 0) continue;
      ownPositives++;
      positives[c] = (positives[c] ?? 0) + 1;
      // a row that names no patient is taken as one of its own
      patientsWith[c]?.add(patient ?? `row ${index}`);
    }
    unknown += width - ownKnown;
    if (ownKnown === 0) unlabelled++;
    else if (ownPositives === 0) withoutPositives++;
  }
  return {
    name,
    images: indices.length,
    patients: imagesOf.size,
    perPatient: perPatient(imagesOf),
    withoutPositives,
    unlabelled,
    unknown,
    classes: patientsWith.map((patients, c) => ({
      positives: positives[c] ?? 0,
      known: known[c] ?? 0,
      patients: patients.size,
    })),
  };
}

/** The same by class, with its place in the long tail of the training part. */
export function classFacts(names: readonly string[], parts: readonly PartFacts[]): ClassFacts[] {
  const train = parts.find(({ name }) => name === 'train');
  return names.map((name, c) => {
    const { positives, known } = train?.classes[c] ?? { positives: 0, known: 0 };
    const prevalence = known > 0 ? positives / known : null;
    const counts = parts.flatMap((part) => {
      const own = part.classes[c];
      return own === undefined ? [] : [[part.name, own] as const];
    });
    return {
      name,
      prevalence,
      group: prevalence === null ? null : frequencyGroup(prevalence),
      parts: Object.fromEntries(counts),
    };
  });
}

/** Patients and images on both sides of a split; empty for a sound one. */
export function findLeaks(parts: readonly NamedPart[]): Leak[] {
  const leaks: Leak[] = [];
  for (const [j, right] of parts.entries()) {
    for (const left of parts.slice(0, j)) {
      const patients = sharedPatients(left, right);
      const names = new Set(Array.from(left.indices, (index) => left.table.rows[index]?.image));
      const images = Array.from(right.indices, (index) => right.table.rows[index]?.image ?? '').filter(
        (image) => names.has(image),
      );
      if (patients.length + images.length > 0)
        leaks.push({ parts: [left.name, right.name], patients, images });
    }
  }
  return leaks;
}

function perPatient(imagesOf: ReadonlyMap<string, number>): PartFacts['perPatient'] {
  const sorted = [...imagesOf].sort((a, b) => a[1] - b[1]);
  const largest = sorted.at(-1);
  if (largest === undefined) return null;
  const median = sorted[Math.floor((sorted.length - 1) / 2)]?.[1] ?? 0;
  return { median, most: largest[1], mostOf: largest[0] };
}
