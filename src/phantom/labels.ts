/**
 * Which findings a phantom has: a long tail over the 30 in-distribution findings, co-occurrence by the companions of
 * the table, lasting findings shared by a patient's images, Normal exactly where nothing else was drawn.
 */

import { FINDINGS, type Finding, IN_DISTRIBUTION, OUT_OF_DISTRIBUTION } from '../data/tables/findings.js';
import type { Random } from '../engine/random.js';
import { FINDING_RULES } from './findings/table.js';

/** Share of images without any finding: the most common class, over which the imbalance is counted. */
const NORMAL = 0.35;
/** Share of the most common finding where the tail is long; it can't be rarer than the rarest. */
const MOST_COMMON_FINDING = 0.16;
const UNSEEN_MOST_COMMON = 0.25;
const UNSEEN_IMBALANCE = 4;
const HIGHEST_CHANCE = 0.95;

/** In the table's order, so that a companion is decided before the finding that it makes likelier. */
const DRAWN = (Object.keys(FINDING_RULES) as Finding[]).filter((name) => name !== 'Normal');
const UNSEEN: ReadonlySet<string> = new Set(OUT_OF_DISTRIBUTION);

export interface LabelModel {
  /** Share of images that each finding is aimed at, by name. */
  readonly prevalence: ReadonlyMap<Finding, number>;
  /** Share of patients who have nothing at any visit. */
  readonly healthy: number;
  /** E[Π factors] of a finding's companions: dividing by it keeps the prevalence where it was aimed. */
  readonly boost: ReadonlyMap<Finding, number>;
}

/**
 * Normal takes 35 % of the images; the findings fall geometrically with their rank from 16 % to the rarest, which is
 * Normal's share over the imbalance. (Below an imbalance of 2.2 all findings are equally common.)
 *
 * @param imbalance most common over rarest class, ≥ 1; the challenge's is 1076
 * @param unseen whether the six unseen findings occur
 */
export function labelModel(imbalance: number, unseen: boolean): LabelModel {
  const prevalence = new Map<Finding, number>();
  const rarest = NORMAL / imbalance;
  const commonest = Math.max(MOST_COMMON_FINDING, rarest);
  const steps = IN_DISTRIBUTION.length - 2;
  for (const name of IN_DISTRIBUTION) {
    const step = (FINDING_RULES[name].rank - 1) / steps;
    prevalence.set(name, name === 'Normal' ? NORMAL : commonest * (rarest / commonest) ** step);
  }
  for (const name of OUT_OF_DISTRIBUTION) {
    const share = FINDING_RULES[name].rank / (OUT_OF_DISTRIBUTION.length - 1);
    prevalence.set(name, unseen ? UNSEEN_MOST_COMMON * UNSEEN_IMBALANCE ** -share : 0);
  }
  const healthy = healthyShare(prevalence);
  return { prevalence, healthy, boost: expectedBoosts(prevalence, healthy) };
}

/**
 * Solves healthy + (1 − healthy)·P(an unhealthy patient shows nothing) = prevalence of Normal, by bisection. The left
 * side grows with `healthy` until findings crowd into too few patients.
 */
function healthyShare(prevalence: ReadonlyMap<Finding, number>): number {
  const target = prevalence.get('Normal') ?? NORMAL;
  let low = 0;
  let high = target;
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    let nothing = 1;
    for (const name of DRAWN)
      nothing *= 1 - Math.min(HIGHEST_CHANCE, (prevalence.get(name) ?? 0) / (1 - middle));
    if (middle + (1 - middle) * nothing < target) low = middle;
    else high = middle;
  }
  return low;
}

function expectedBoosts(prevalence: ReadonlyMap<Finding, number>, healthy: number): Map<Finding, number> {
  const boosts = new Map<Finding, number>();
  for (const name of DRAWN) {
    let expected = 1;
    for (const [companion, factor] of companionsOf(name)) {
      expected *= 1 + ((factor - 1) * (prevalence.get(companion) ?? 0)) / (1 - healthy);
    }
    boosts.set(name, expected);
  }
  return boosts;
}

function companionsOf(name: Finding): [Finding, number][] {
  return Object.entries(FINDING_RULES[name].companions ?? {}) as [Finding, number][];
}

/** Whether a patient is healthy, and the findings that stay with them. */
export interface PatientLabels {
  readonly healthy: boolean;
  readonly lasting: readonly Finding[];
}

export function drawPatientLabels(model: LabelModel, random: Random): PatientLabels {
  const healthy = random.chance(model.healthy);
  return { healthy, lasting: drawFindings(model, healthy, 'lasting', [], random) };
}

/** The findings of one image, ['Normal'] if there are none; in the order in which they are drawn. */
export function drawImageLabels(model: LabelModel, patient: PatientLabels, random: Random): Finding[] {
  const passing = drawFindings(model, patient.healthy, 'passing', patient.lasting, random);
  return withNormal([...patient.lasting, ...passing]);
}

/** Exactly one of: some findings, or Normal alone (unseen findings leave an image without in-distribution labels). */
export function withNormal(findings: readonly Finding[]): Finding[] {
  const abnormal = findings.filter((name) => name !== 'Normal');
  return abnormal.length === 0 ? ['Normal'] : abnormal;
}

function drawFindings(
  model: LabelModel,
  healthy: boolean,
  course: 'lasting' | 'passing',
  known: readonly Finding[],
  random: Random,
): Finding[] {
  const present = new Set(known);
  const drawn: Finding[] = [];
  for (const name of DRAWN) {
    if (FINDING_RULES[name].course !== course) continue;
    let chance = (model.prevalence.get(name) ?? 0) / (1 - model.healthy) / (model.boost.get(name) ?? 1);
    for (const [companion, factor] of companionsOf(name)) if (present.has(companion)) chance *= factor;
    // one number a finding whatever happens, so that one finding's chance doesn't shift the others' draws
    const hit = random.uniform() < Math.min(HIGHEST_CHANCE, chance);
    if (!hit || healthy) continue;
    present.add(name);
    drawn.push(name);
  }
  return drawn;
}

/** What a report says of an image: 1, 0, or undefined where it says nothing. */
export type Label = 0 | 1 | undefined;

export interface LabelErrors {
  /** Share of positives that the report misses; as many false ones are added, so prevalences stay. */
  readonly noise: number;
  /** Share of labels left blank. */
  readonly unknown: number;
}

/** The 30 in-distribution columns of an image as they are written, true to the picture but for noise and blanks. */
export function recordLabels(
  findings: readonly Finding[],
  prevalence: ReadonlyMap<Finding, number>,
  errors: LabelErrors,
  random: Random,
): Label[] {
  const recorded = new Set<Finding>();
  for (const name of IN_DISTRIBUTION) {
    const p = Math.min(0.5, prevalence.get(name) ?? 0);
    const present = findings.includes(name);
    const flips = random.uniform() < (present ? errors.noise : (errors.noise * p) / (1 - p));
    if (name !== 'Normal' && present !== flips) recorded.add(name);
  }
  const unseen = findings.some((name) => UNSEEN.has(name));
  if (recorded.size === 0 && !unseen) recorded.add('Normal');
  return IN_DISTRIBUTION.map((name) => {
    if (random.uniform() < errors.unknown) return undefined;
    return recorded.has(name) ? 1 : 0;
  });
}

/** The 36 names in the order in which they are drawn over each other. */
export function inDrawingOrder(findings: readonly Finding[]): Finding[] {
  const order = Object.keys(FINDING_RULES);
  return FINDINGS.filter((name) => findings.includes(name)).sort(
    (a, b) => order.indexOf(a) - order.indexOf(b),
  );
}
