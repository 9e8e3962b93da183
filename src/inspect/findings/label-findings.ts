import { count, counted, percent, ratio } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';
import type { ClassFacts, PartFacts } from '../part-facts.js';
import { agree, type Finding, some } from './finding.js';

/** Training positives below which a class is hardly learnt. */
const FEW_POSITIVES = 10;
/** Patients below which a class may be learnt as somebody's chest. */
const FEW_PATIENTS = 3;

/** Findings about the labels: imbalance, gaps, and contradictions. */
export function labelFindings({
  parts,
  classes,
  oddities,
}: Pick<Inspection, 'parts' | 'classes' | 'oddities'>): Finding[] {
  const train = parts.find(({ name }) => name === 'train');
  if (train === undefined) return [];
  return [
    ...classFindings(classes, train),
    ...oddityFindings(oddities),
    ...unknownFindings(train, classes),
    ...imbalanceFindings(classes, train),
  ];
}

function classFindings(classes: readonly ClassFacts[], train: PartFacts): Finding[] {
  const byName = new Map(classes.map((each) => [each.name, each]));
  const of = (name: string) => byName.get(name)?.parts.train;
  const named = (wanted: (facts: { positives: number; known: number; patients: number }) => boolean) =>
    classes.filter(({ parts }) => parts.train !== undefined && wanted(parts.train)).map(({ name }) => name);
  const never = named(({ known }) => known === 0);
  const none = named(({ known, positives }) => known > 0 && positives === 0);
  const always = named(({ known, positives }) => known > 0 && positives === known);
  const few = named(({ positives }) => positives > 0 && positives < FEW_POSITIVES);
  const fewPeople = named(
    ({ positives, patients }) => train.patients > 0 && positives >= FEW_POSITIVES && patients < FEW_PATIENTS,
  );
  const findings: Finding[] = [];
  const add = (
    level: Finding['level'],
    names: readonly string[],
    what: string,
    where: string,
    advice: string,
  ) => {
    if (names.length > 0) findings.push({ level, what, where, advice });
  };
  const many = (names: readonly string[]) => counted(names.length, 'class', 'classes');
  add(
    'serious',
    never,
    `${many(never)} ${agree(never.length, 'has', 'have')} no known label in training: nothing can be learnt of them.`,
    some(never, 12),
    'Leave them out with data.classes.',
  );
  add(
    'warning',
    none,
    `${many(none)} ${agree(none.length, 'has', 'have')} no positive in training: the model will only learn to say no.`,
    some(none, 12),
    'Leave them out with data.classes, or score them zero-shot.',
  );
  add(
    'warning',
    always,
    `${many(always)} ${agree(always.length, 'has', 'have')} no negative in training: the model will only learn to say yes.`,
    some(always, 12),
    'If blanks stand for absent findings, say so with data.blank: zeros.',
  );
  add(
    'warning',
    few,
    `${many(few)} ${agree(few.length, 'has', 'have')} fewer than ${FEW_POSITIVES} positives in training.`,
    some(
      few.map((name) => `${name} (${of(name)?.positives})`),
      12,
    ),
    'A sampler shows them more often, but cannot make them more varied; augment, and read their scores with care.',
  );
  add(
    'warning',
    fewPeople,
    `All positives of ${many(fewPeople)} come from one or two patients: the model may learn the person.`,
    some(
      fewPeople.map(
        (name) =>
          `${name} (${counted(of(name)?.positives ?? 0, 'image')} of ${counted(of(name)?.patients ?? 0, 'patient')})`,
      ),
      12,
    ),
    'Read their scores with care.',
  );
  return findings;
}

function oddityFindings({ normalWithFinding, twins, implied }: Inspection['oddities']): Finding[] {
  const findings: Finding[] = [];
  if (normalWithFinding !== null) {
    findings.push({
      level: 'warning',
      what: `${counted(normalWithFinding.images, 'image')} ${agree(normalWithFinding.images, 'is', 'are')} labelled "${normalWithFinding.className}" and a finding at once.`,
      where: `such as ${normalWithFinding.example}`,
      advice: 'One of the labels is wrong; or "normal" means something else here than no finding.',
    });
  }
  for (const { names, images } of twins) {
    findings.push({
      level: 'warning',
      what: `"${names[0]}" and "${names[1]}" are positive on the very same ${counted(images, 'image')}: one class under two names.`,
      where: null,
      advice: 'Keep one of them with data.classes; it counts twice in every mean otherwise.',
    });
  }
  if (implied.length > 0) {
    findings.push({
      level: 'note',
      what: `${counted(implied.length, 'class', 'classes')} never ${agree(implied.length, 'comes', 'come')} without another one.`,
      where: some(implied.map(({ name, by }) => `${name} without ${by}`)),
      advice: 'If one is a kind of the other, that is as it should be.',
    });
  }
  return findings;
}

function unknownFindings(train: PartFacts, classes: readonly ClassFacts[]): Finding[] {
  const findings: Finding[] = [];
  const total = train.images * classes.length;
  if (train.unlabelled > 0 && train.unlabelled < train.images) {
    findings.push({
      level: 'warning',
      what: `${counted(train.unlabelled, 'training image')} (${percent(train.unlabelled / train.images)}) ${agree(train.unlabelled, 'has', 'have')} no known label at all, which costs time and teaches nothing.`,
      where: null,
      advice: 'Take their rows out; if a blank means absent, say so with data.blank: zeros.',
    });
  }
  if (train.unknown > 0 && total > 0) {
    const most = classes
      .map(({ name, parts }) => ({ name, share: 1 - (parts.train?.known ?? 0) / train.images }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share);
    findings.push({
      level: 'note',
      what: `${percent(train.unknown / total)} of the training labels are unknown: masked out of the loss, never taken as absent.`,
      where: some(most.map(({ name, share }) => `${name} ${percent(share)}`)),
      advice: null,
    });
  }
  return findings;
}

function imbalanceFindings(classes: readonly ClassFacts[], train: PartFacts): Finding[] {
  const present = classes
    .flatMap(({ name, parts }) =>
      parts.train && parts.train.positives > 0 ? [{ name, n: parts.train.positives }] : [],
    )
    .sort((a, b) => b.n - a.n);
  const [most, least] = [present[0], present.at(-1)];
  const findings: Finding[] = [];
  if (most !== undefined && least !== undefined && present.length > 1) {
    const tail = classes.filter(({ group }) => group === 'tail').length;
    findings.push({
      level: 'note',
      what: `The most common class is ${ratio(most.n / least.n)} times as common as the rarest; ${count(tail)} of ${counted(classes.length, 'class', 'classes')} ${agree(tail, 'is', 'are')} in the tail (below 1 %).`,
      where: `${most.name} ${count(most.n)}, ${least.name} ${count(least.n)}`,
      advice: null,
    });
  }
  if (train.withoutPositives > 0) {
    findings.push({
      level: 'note',
      what: `${counted(train.withoutPositives, 'training image')} (${percent(train.withoutPositives / train.images)}) ${agree(train.withoutPositives, 'has', 'have')} no positive label. Repeat factors visit each such image once; class-aware and square-root sampling draw them as one class more.`,
      where: null,
      advice: null,
    });
  }
  return findings;
}
