import { TailrayError } from '../../engine/errors.js';
import { Random } from '../../engine/random.js';
import { list } from './label-columns.js';
import { countLabels, type LabelTable } from './table.js';

/**
 * Splits by patient: all images of one person lie on one side, so that a score on the other side says something about
 * people the model has not seen. The split depends on the identifiers and the seed only, not on the order of rows.
 */

/** A split that was asked for and cannot be made. */
export class SplitError extends TailrayError {}

export interface Split {
  /** Row indices of the table, ascending; disjoint, together all the rows that were to be split. */
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly test: Int32Array;
  /** How it was made and what came of it. */
  readonly notes: readonly string[];
}

export interface SplitOptions {
  /** Share of the images for validation, in [0, 1); default 0.1. */
  validation?: number;
  /** Share of the images for testing, in [0, 1); default 0. */
  test?: number;
  /** Default 42. */
  seed?: number;
  /** Deal out the patients of rare classes first, so that those classes have positives on both sides; default false. */
  stratify?: boolean;
  /** The rows to split; all when absent. */
  indices?: Iterable<number>;
}

/**
 * Splits the rows of a table by patient (by image where the table names no patients; the notes say so).
 * A share is never exceeded, and missed by less than the largest patient's images.
 * @throws SplitError when the shares make no sense or there are fewer than two patients to split
 */
export function splitByPatient(table: LabelTable, options: SplitOptions = {}): Split {
  const { validation = 0.1, test = 0, seed = 42, stratify = false } = options;
  for (const [name, share] of Object.entries({ validation, test })) {
    if (!(share >= 0 && share < 1)) {
      throw new SplitError(`the ${name} share must lie in [0, 1), not ${share}.`);
    }
  }
  if (validation + test >= 1) {
    throw new SplitError(`validation (${validation}) and test (${test}) together leave nothing to train on.`);
  }
  const indices = [...(options.indices ?? table.rows.keys())];
  const groups = groupByPatient(table, indices);
  const parts = (validation > 0 ? 1 : 0) + (test > 0 ? 1 : 0) + 1;
  if (groups.length < parts) {
    throw new SplitError(
      `${table.path}: ${indices.length} images of ${groups.length} patients can't be split into ${parts} parts by patient.`,
    );
  }
  const take = (from: readonly Group[], share: number, name: string) =>
    draw(from, share * indices.length, { random: new Random(seed, 'split', name), table, stratify });
  const testGroups = take(groups, test, 'test');
  const rest = groups.filter((group) => !testGroups.has(group));
  const validationGroups = take(rest, validation, 'validation');
  const split = {
    train: rowsOf(rest.filter((group) => !validationGroups.has(group))),
    validation: rowsOf(validationGroups),
    test: rowsOf(testGroups),
  };
  return { ...split, notes: splitNotes(table, split, { seed, stratify, validation, test }) };
}

/** Patients with images in both sets of rows; empty for a sound split. */
export function sharedPatients(
  a: { table: LabelTable; indices: Iterable<number> },
  b: { table: LabelTable; indices: Iterable<number> },
): string[] {
  const inA = new Set(patientsOf(a.table, a.indices));
  return [...patientsOf(b.table, b.indices)].filter((patient) => inA.has(patient)).sort();
}

/** The distinct patients of some rows (rows without one don't count). */
export function patientsOf(table: LabelTable, indices: Iterable<number>): Set<string> {
  const patients = new Set<string>();
  for (const index of indices) {
    const patient = table.rows[index]?.patient;
    if (typeof patient === 'string') patients.add(patient);
  }
  return patients;
}

interface Group {
  key: string;
  rows: number[];
  /** How many of the rows are positive, per class that has any; the key −1 counts rows without a positive. */
  positives: Map<number, number>;
}

const noFinding = -1;

function groupByPatient(table: LabelTable, indices: readonly number[]): Group[] {
  const byKey = new Map<string, Group>();
  const width = table.classes.length;
  for (const index of indices) {
    const row = table.rows[index];
    if (row === undefined) throw new RangeError(`row ${index} of a table with ${table.rows.length}`);
    const key = row.patient === null ? `image ${row.image}` : `patient ${row.patient}`;
    let group = byKey.get(key);
    if (group === undefined) {
      group = { key, rows: [], positives: new Map() };
      byKey.set(key, group);
    }
    group.rows.push(index);
    let any = false;
    for (let c = 0; c < width; c++) {
      if (table.labels[index * width + c] !== 1) continue;
      any = true;
      group.positives.set(c, (group.positives.get(c) ?? 0) + 1);
    }
    if (!any) group.positives.set(noFinding, (group.positives.get(noFinding) ?? 0) + 1);
  }
  // by code unit, so that the order of rows doesn't matter and neither does the machine's locale
  return [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

interface DrawContext {
  random: Random;
  table: LabelTable;
  stratify: boolean;
}

/** Chooses patients with `target` images in all, or as many below as their sizes allow, but at least one patient. */
function draw(
  groups: readonly Group[],
  target: number,
  { random, table, stratify }: DrawContext,
): Set<Group> {
  const chosen = new Set<Group>();
  if (target <= 0) return chosen;
  const shuffled = random.shuffle(groups);
  const carriers = stratify ? carriersByClass(shuffled, table.classes.length) : new Map<number, Group[]>();
  const left = new Map([...carriers].map(([c, having]) => [c, having.length]));
  let room = Math.round(target);
  const offered = new Set<Group>();
  /**
   * Takes a patient that fits, unless that leaves a class without any patient on the other side. Room only shrinks, and
   * who is a class's last patient stays it, so that the first answer to an offer is the answer to all later ones.
   */
  const offer = (group: Group): boolean => {
    if (offered.has(group)) return false;
    offered.add(group);
    const last = [...group.positives.keys()].some((c) => left.get(c) === 1);
    if (group.rows.length > room || last) return false;
    chosen.add(group);
    room -= group.rows.length;
    for (const c of group.positives.keys()) left.set(c, (left.get(c) ?? 0) - 1);
    return true;
  };
  const share = target / groups.reduce((sum, group) => sum + group.rows.length, 0);
  takeRareFirst(carriers, share, offer);
  for (const group of shuffled) offer(group);
  if (chosen.size === 0) {
    // no patient fits: the smallest misses the share by least
    chosen.add(shuffled.reduce((least, group) => (group.rows.length < least.rows.length ? group : least)));
  }
  return chosen;
}

function carriersByClass(groups: readonly Group[], classes: number): Map<number, Group[]> {
  const carriers = new Map<number, Group[]>();
  for (let c = noFinding; c < classes; c++) {
    const having = groups.filter((group) => group.positives.has(c));
    if (having.length > 0) carriers.set(c, having);
  }
  return carriers;
}

/**
 * Offers, rarest class first, the patients that give each class its share of positives: a greedy form of iterative
 * stratification (Sechidis et al. 2011), over patients.
 */
function takeRareFirst(
  carriers: ReadonlyMap<number, readonly Group[]>,
  share: number,
  offer: (group: Group) => boolean,
): void {
  const got = new Map<number, number>();
  const take = (group: Group): boolean => {
    if (!offer(group)) return false;
    for (const [c, count] of group.positives) got.set(c, (got.get(c) ?? 0) + count);
    return true;
  };
  const rarest = [...carriers].sort((a, b) => a[1].length - b[1].length || a[0] - b[0]);
  for (const [c, having] of rarest) {
    const count = (group: Group) => group.positives.get(c) ?? 0;
    const wanted = Math.max(1, Math.round(share * having.reduce((sum, group) => sum + count(group), 0)));
    for (const group of having) {
      if ((got.get(c) ?? 0) + count(group) <= wanted) take(group);
    }
    // if each carrier alone has more positives than wanted, the one with fewest that can be had
    if ((got.get(c) ?? 0) === 0) having.toSorted((a, b) => count(a) - count(b)).some(take);
  }
}

function rowsOf(groups: Iterable<Group>): Int32Array {
  const rows: number[] = [];
  for (const group of groups) for (const row of group.rows) rows.push(row);
  return Int32Array.from(rows).sort();
}

type Parts = Pick<Split, 'train' | 'validation' | 'test'>;

function splitNotes(
  table: LabelTable,
  split: Parts,
  how: { seed: number; stratify: boolean; validation: number; test: number },
): string[] {
  const all = [...split.train, ...split.validation, ...split.test];
  const byPatient = patientsOf(table, all).size > 0;
  const size = (name: string, rows: Int32Array) =>
    byPatient
      ? `${name} ${rows.length} images of ${patientsOf(table, rows).size} patients`
      : `${name} ${rows.length}`;
  const parts = [size('train', split.train)];
  if (how.validation > 0) parts.push(size('validation', split.validation));
  if (how.test > 0) parts.push(size('test', split.test));
  const rule = `split by ${byPatient ? 'patient' : 'image'}${how.stratify ? ', rare classes first' : ''} (seed ${how.seed})`;
  const notes = [`${rule}: ${parts.join(', ')}.`];
  if (!byPatient) {
    notes.push(
      'WARNING: the table names no patients, so images of one person may lie on both sides, and scores may be too good.',
    );
  }
  for (const name of ['validation', 'test'] as const) {
    if (how[name] === 0) continue;
    const wanted = how[name] * all.length;
    if (Math.abs(split[name].length - wanted) > Math.max(1, 0.2 * wanted)) {
      notes.push(
        `${name} has ${split[name].length} images where ${Math.round(wanted)} were asked for: patients are large.`,
      );
    }
    const { positives } = countLabels(table, split[name]);
    const overall = countLabels(table, all).positives;
    const lost = table.classes.filter((_, c) => positives[c] === 0 && (overall[c] ?? 0) > 0);
    if (lost.length > 0) notes.push(`${name} has no positive of ${list(lost)}: left out of its means.`);
  }
  return notes;
}
