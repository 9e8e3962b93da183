import { count, counted, percent } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';
import { agree, type Finding, NAMED_ON_DEMAND, some } from './finding.js';

/** Share of all images above which one identifier is hardly one person's. */
const TOO_MANY = 0.05;
/** Images below which a share says nothing. */
const ENOUGH = 20;

/** Identifiers that don't identify: of patients, and of images. */
export function idFindings(
  inspection: Pick<Inspection, 'patientIds' | 'parts' | 'oddities' | 'path' | 'idsShown'>,
): Finding[] {
  return [...patientFindings(inspection), ...imageFindings(inspection)];
}

function patientFindings({
  patientIds,
  parts,
  path,
  idsShown,
}: Pick<Inspection, 'patientIds' | 'parts' | 'path' | 'idsShown'>): Finding[] {
  const findings: Finding[] = [];
  if (patientIds.length === 0) {
    findings.push({
      level: 'serious',
      what: 'The table names no patients, so images of one person can lie on both sides of a split, and scores will be too good.',
      where: path,
      advice:
        'Add a column PatientID, or name the column that says it with data.patientColumn in the recipe.',
    });
  }
  for (const {
    path: table,
    column,
    rows,
    missing,
    mangled,
    rounded,
    respelt,
    numbers,
    texts,
    exampleText,
  } of patientIds) {
    const where = `${table}, column "${column}"`;
    for (const [lost, how] of [
      [mangled, 'are floating-point numbers'],
      [rounded, 'are whole numbers that went through a floating-point number'],
    ] as const) {
      if (lost === null) continue;
      findings.push({
        level: 'serious',
        what:
          `The patients of ${counted(lost.rows, 'row')} (${percent(lost.rows / rows)}) ${how}${idsShown ? `, such as ${lost.example}` : ''}: ` +
          `digits were lost, so different patients share an identifier. ` +
          `${counted(lost.values, 'identifier')} ${agree(lost.values, 'remains', 'remain')}, the most frequent on ${counted(lost.largest, 'row')}.`,
        where,
        advice:
          'Take the identifiers from the original table, read as text. Until then each value counts as one patient: a ' +
          'split leaks nothing by it, but is coarse, and there are fewer patients than there seem to be for intervals.',
      });
    }
    if (respelt.length > 0) {
      findings.push({
        level: 'serious',
        what: `${counted(respelt.length, 'patient')} ${agree(respelt.length, 'seems', 'seem')} to be written in several ways, counted as different people.`,
        where: `${where}: ${idsShown ? some(respelt.map((spellings) => spellings.join(' = '))) : NAMED_ON_DEMAND}`,
        advice:
          'Write each patient in one way; a table read as numbers by some program loses leading zeros or gains ".0".',
      });
    }
    if (missing > 0) {
      findings.push({
        level: 'warning',
        what: `${counted(missing, 'row')} (${percent(missing / rows)}) ${agree(missing, 'names', 'name')} no patient: each counts as a person of its own, who may be in two parts.`,
        where,
        advice: 'Fill them in, or leave these rows out of the held-out parts.',
      });
    }
    if (numbers > 0 && texts > 0) {
      const [few, kind] = numbers < texts ? [numbers, 'whole numbers'] : [texts, 'other texts'];
      findings.push({
        level: Math.min(numbers, texts) / (numbers + texts) < 0.1 ? 'warning' : 'note',
        what: `Patients are named in two ways: ${count(numbers)} by whole numbers, ${count(texts)} by other texts${idsShown ? ` such as "${exampleText}"` : ''}; the ${count(few)} ${kind} may be strays.`,
        where,
        advice: 'See whether one person goes by two names, as after two sources were joined.',
      });
    }
  }
  const images = parts.reduce((sum, part) => sum + part.images, 0);
  for (const { name, perPatient } of parts) {
    if (perPatient === null || perPatient.most < ENOUGH || perPatient.most / images < TOO_MANY) continue;
    findings.push({
      level: 'warning',
      what: `One patient has ${counted(perPatient.most, 'image')}, ${percent(perPatient.most / images)} of all: somebody followed closely, or a placeholder for many.`,
      where: idsShown ? `patient ${perPatient.mostOf}, in ${name}` : `in ${name}; ${NAMED_ON_DEMAND}`,
      advice: 'If it is a placeholder, blank it; if a person, scores lean on this one chest.',
    });
  }
  return findings;
}

function imageFindings({ oddities: { sameNames } }: Pick<Inspection, 'oddities'>): Finding[] {
  if (sameNames.length === 0) return [];
  return [
    {
      level: 'warning',
      what: `${counted(sameNames.length, 'image')} ${agree(sameNames.length, 'differs', 'differ')} from another one in upper and lower case or extension only: perhaps one image with two rows.`,
      where: some(sameNames.map((pair) => pair.join(' = '))),
      advice: 'Keep one row of each, unless they are two files.',
    },
  ];
}
