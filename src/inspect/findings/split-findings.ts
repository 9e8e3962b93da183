import { count, counted } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';
import type { PartFacts } from '../part-facts.js';
import { agree, type Finding, NAMED_ON_DEMAND, some } from './finding.js';

/** Positives of a held-out part below which a class's score is mostly chance. */
const FEW_POSITIVES = 10;

/** Faults of the parts: shared patients, and classes that can't be measured. */
export function splitFindings({
  parts,
  classes,
  leaks,
  unsplit,
  idsShown,
}: Pick<Inspection, 'parts' | 'classes' | 'leaks' | 'unsplit' | 'idsShown'>): Finding[] {
  const findings: Finding[] = [];
  for (const leak of leaks) {
    const names = leak.parts.join(' and ');
    if (leak.patients.length > 0) {
      findings.push({
        level: 'serious',
        what: `${counted(leak.patients.length, 'patient')} ${agree(leak.patients.length, 'has', 'have')} images in ${names} both: scores will be too good.`,
        where: idsShown ? `patients ${some(leak.patients)}` : NAMED_ON_DEMAND,
        advice:
          'Move all images of a patient into one part, or leave the split to the recipe (data.validationFraction, data.testFraction).',
      });
    }
    if (leak.images.length > 0) {
      findings.push({
        level: 'serious',
        what: `${counted(leak.images.length, 'image')} ${agree(leak.images.length, 'stands', 'stand')} in ${names} both: the model is tested on what it was trained on.`,
        where: some(leak.images),
        advice: 'Take them out of one of the two.',
      });
    }
  }
  if (unsplit !== null) {
    findings.push({
      level: 'serious',
      what: 'The data cannot be split as the recipe says.',
      where: unsplit,
      advice: 'Change data.validationFraction and data.testFraction, or bring a split.',
    });
  }
  for (const part of parts.filter(({ name }) => name !== 'train')) {
    findings.push(...unmeasurable(part, classes));
  }
  return findings;
}

function unmeasurable(part: PartFacts, classes: Inspection['classes']): Finding[] {
  if (part.unlabelled === part.images) {
    return [
      {
        level: 'note',
        what: `The ${counted(part.images, 'image')} of ${part.name} have no labels: they can be predicted on, not measured on.`,
        where: null,
        advice: null,
      },
    ];
  }
  const places = new Map(classes.map(({ name }, c) => [name, c]));
  const positives = (name: string) => part.classes[places.get(name) ?? -1]?.positives ?? 0;
  const trained = classes.filter((each) => (each.parts.train?.positives ?? 0) > 0).map(({ name }) => name);
  const none = trained.filter((name) => positives(name) === 0);
  const few = trained.filter((name) => positives(name) > 0 && positives(name) < FEW_POSITIVES);
  const findings: Finding[] = [];
  if (none.length > 0) {
    findings.push({
      level: 'warning',
      what: `${part.name} has no positive of ${counted(none.length, 'class', 'classes')}, which will be left out of its means.`,
      where: some(none, 12),
      advice: 'A larger share, or another seed of the split (data.splitSeed), may hold some.',
    });
  }
  if (few.length > 0) {
    findings.push({
      level: 'warning',
      what: `${part.name} has fewer than ${FEW_POSITIVES} positives of ${counted(few.length, 'class', 'classes')}: scores there are mostly chance.`,
      where: some(
        few.map((name) => `${name} (${count(positives(name))})`),
        12,
      ),
      advice: 'Look at intervals, not at single numbers, and at groups of classes.',
    });
  }
  return findings;
}
