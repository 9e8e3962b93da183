/**
 * The list of images of a phantom data set, before any is drawn: patients with several visits, views, dates, findings,
 * recorded labels, and the split by patient. Image k comes from streams named after k and after its patient, so a
 * longer list begins with the shorter one (unless `minPositives` has to step in).
 */

import { type Finding, IN_DISTRIBUTION } from '../data/tables/findings.js';
import { Random } from '../engine/random.js';
import { PhantomOptionsError } from './errors.js';
import { FINDING_RULES } from './findings/table.js';
import {
  drawImageLabels,
  drawPatientLabels,
  inDrawingOrder,
  type Label,
  type LabelModel,
  labelModel,
  type PatientLabels,
  recordLabels,
} from './labels.js';
import type { Sex, View } from './patient.js';

export type Split = 'train' | 'test' | 'zeroshot';

export interface CaseOptions {
  /** Images of training and test together. */
  readonly count: number;
  readonly seed: number;
  /** Most common over rarest class, ≥ 1. Default 1076, the challenge's. */
  readonly imbalance?: number;
  /** Share of lateral views. Default 0. */
  readonly laterals?: number;
  /** Share of positives that the labels miss, and as many false ones. Default 0. */
  readonly labelNoise?: number;
  /** Share of labels left blank. Default 0. */
  readonly unknown?: number;
  /** Share of patients held out. Default 0.2. */
  readonly testFraction?: number;
  /** Least positives of every in-distribution class in training; the test split gets its share. Default 0. */
  readonly minPositives?: number;
  /** Adds images with the six unseen findings, apart from `count`: a fifth as many. Default false. */
  readonly ood?: boolean;
}

export interface PhantomCase {
  /** Place in its list: of training and test, or of the zero-shot images. */
  readonly index: number;
  readonly split: Split;
  /** File name, 32 hexadecimal digits and `.png`. */
  readonly imageId: string;
  /** 39 decimal digits, as in PadChest: too long for a number. */
  readonly patientId: string;
  /** YYYYMMDD. */
  readonly studyDate: string;
  readonly view: View;
  readonly sex: Sex;
  readonly age: number;
  readonly seed: number;
  readonly patientSeed: number;
  /** What is drawn. */
  readonly findings: readonly Finding[];
  /** What the 30 columns say. */
  readonly labels: readonly Label[];
}

type ResolvedOptions = Required<CaseOptions>;

const DEFAULTS = {
  imbalance: 1076,
  laterals: 0,
  labelNoise: 0,
  unknown: 0,
  testFraction: 0.2,
  minPositives: 0,
  ood: false,
};
const UNSEEN_SHARE = 0.2;

/** Fills in the defaults. @throws PhantomOptionsError naming the option that is out of range */
export function resolveCaseOptions(options: CaseOptions): ResolvedOptions {
  const resolved: ResolvedOptions = { ...DEFAULTS, ...options };
  const check = (ok: boolean, name: keyof CaseOptions, need: string) => {
    if (!ok) throw new PhantomOptionsError(`${name} must be ${need}, got ${String(resolved[name])}`);
  };
  check(Number.isInteger(resolved.count) && resolved.count >= 1, 'count', 'a whole number from 1');
  check(Number.isSafeInteger(resolved.seed), 'seed', 'a whole number');
  check(resolved.imbalance >= 1 && resolved.imbalance <= 1e6, 'imbalance', 'from 1 to 1,000,000');
  for (const name of ['laterals', 'labelNoise', 'unknown'] as const) {
    check(resolved[name] >= 0 && resolved[name] <= 1, name, 'a share from 0 to 1');
  }
  check(resolved.testFraction >= 0 && resolved.testFraction < 1, 'testFraction', 'from 0 to below 1');
  check(
    Number.isInteger(resolved.minPositives) && resolved.minPositives >= 0,
    'minPositives',
    'a whole number',
  );
  check(
    resolved.minPositives * IN_DISTRIBUTION.length <= 4 * resolved.count,
    'minPositives',
    `at most ${Math.floor((4 * resolved.count) / IN_DISTRIBUTION.length)} for ${resolved.count} images`,
  );
  return resolved;
}

/** The cases of training and test, then (with `ood`) those of the zero-shot evaluation. */
export function samplePhantomCases(options: CaseOptions): PhantomCase[] {
  const resolved = resolveCaseOptions(options);
  const cases = sampleList(resolved, resolved.count, 'image', labelModel(resolved.imbalance, false));
  const raised = raiseRareClasses(cases, resolved);
  if (!resolved.ood) return raised;
  const unseen = Math.max(1, Math.round(UNSEEN_SHARE * resolved.count));
  return [...raised, ...sampleList(resolved, unseen, 'zeroshot', labelModel(resolved.imbalance, true))];
}

interface Patient {
  readonly index: number;
  readonly id: string;
  readonly seed: number;
  readonly sex: Sex;
  readonly age: number;
  readonly labels: PatientLabels;
  readonly held: boolean;
  /** Days since 2009-01-01 of the first visit. */
  readonly day: number;
  readonly visits: number;
}

function samplePatient(options: ResolvedOptions, list: string, model: LabelModel, index: number): Patient {
  const random = new Random(options.seed, list, 'patient', index);
  const seed = random.uint32();
  const words = Array.from({ length: 4 }, () => BigInt(random.uint32()));
  const id = words.reduce((value, word) => (value << 32n) | word, 0n);
  const labels = drawPatientLabels(model, new Random(options.seed, list, 'patient labels', index));
  const older = Math.max(0, ...labels.lasting.map((name) => FINDING_RULES[name].older ?? 0));
  const sex: Sex = random.chance(0.5) ? 'F' : 'M';
  const age = Math.round(Math.min(95, Math.max(20, random.normal(54 + older, 15))));
  let visits = 1;
  while (visits < 6 && random.chance(0.35)) visits++;
  const day = random.int(3000);
  const held = new Random(options.seed, list, 'split', index).chance(options.testFraction);
  return { index, id: id.toString().padStart(39, '1'), seed, sex, age, labels, held, day, visits };
}

function sampleList(
  options: ResolvedOptions,
  count: number,
  list: 'image' | 'zeroshot',
  model: LabelModel,
): PhantomCase[] {
  const cases: PhantomCase[] = [];
  for (let index = 0; cases.length < count; index++) {
    const patient = samplePatient(options, list, model, index);
    let day = patient.day;
    for (let visit = 0; visit < patient.visits && cases.length < count; visit++) {
      const k = cases.length;
      const random = new Random(options.seed, list, k);
      const findings = drawImageLabels(model, patient.labels, new Random(options.seed, list, 'labels', k));
      const split: Split = list === 'zeroshot' ? 'zeroshot' : patient.held ? 'test' : 'train';
      const seed = random.uint32();
      const imageId = `${Array.from({ length: 4 }, () => hex(random.uint32())).join('')}.png`;
      const view = sampleView(random, findings, options.laterals);
      cases.push({
        index: k,
        split,
        imageId,
        patientId: patient.id,
        studyDate: dateText(day),
        view,
        sex: patient.sex,
        age: patient.age,
        seed,
        patientSeed: patient.seed,
        findings,
        labels: record(options, list, k, split, findings, model),
      });
      day += 1 + random.int(240);
    }
  }
  return cases;
}

/** Test and zero-shot labels are true to the pictures; noise and blanks are a trait of training labels. */
function record(
  options: ResolvedOptions,
  list: string,
  k: number,
  split: Split,
  findings: readonly Finding[],
  model: LabelModel,
): Label[] {
  const errors =
    split === 'train' ? { noise: options.labelNoise, unknown: options.unknown } : { noise: 0, unknown: 0 };
  return recordLabels(findings, model.prevalence, errors, new Random(options.seed, list, 'record', k));
}

/** Patients with tubes and lines are mostly imaged in bed. */
function sampleView(random: Random, findings: readonly Finding[], laterals: number): View {
  const sideways = random.chance(laterals);
  const bedridden = findings.includes('Support Devices') || findings.includes('central venous catheter');
  const inBed = random.chance(bedridden ? 0.5 : 0.12);
  return sideways ? 'lateral' : inBed ? 'AP' : 'PA';
}

/**
 * Gives classes with too few positives more: further images, drawn from a stream of the class, show the finding too.
 * The only step in which the count of images reaches into a single one.
 */
function raiseRareClasses(cases: readonly PhantomCase[], options: ResolvedOptions): PhantomCase[] {
  if (options.minPositives === 0) return [...cases];
  const raised = [...cases];
  const model = labelModel(options.imbalance, false);
  const ratio = options.testFraction / (1 - options.testFraction);
  const least = { train: options.minPositives, test: Math.ceil(options.minPositives * ratio), zeroshot: 0 };
  for (const split of ['train', 'test'] as const) {
    for (const name of IN_DISTRIBUTION) {
      if (name === 'Normal') continue;
      const positives = raised.filter((one) => one.split === split && one.findings.includes(name)).length;
      const candidates = raised.filter((one) => one.split === split && accepts(one, name));
      const order = new Random(options.seed, 'raise', split, name).shuffle(candidates);
      for (const one of order.slice(0, Math.max(0, least[split] - positives))) {
        const findings = inDrawingOrder([...one.findings.filter((other) => other !== 'Normal'), name]);
        const labels = record(options, 'image', one.index, split, findings, model);
        raised[one.index] = { ...one, findings, labels };
      }
    }
  }
  return raised;
}

/** Whether a finding can be added to an image: not there yet, seen from the front, excluded by nothing. */
function accepts(one: PhantomCase, name: Finding): boolean {
  if (one.view === 'lateral' || one.findings.length > 3 || one.findings.includes(name)) return false;
  return one.findings.every(
    (other) => FINDING_RULES[name].companions?.[other] !== 0 && FINDING_RULES[other].companions?.[name] !== 0,
  );
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

/** YYYYMMDD of a day counted from 2009-01-01. */
function dateText(day: number): string {
  return new Date(Date.UTC(2009, 0, 1 + day)).toISOString().slice(0, 10).replaceAll('-', '');
}
