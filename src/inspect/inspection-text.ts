import { describeSampler } from '../data/sampling/sampler-choice.js';
import { count, counted, NOTHING, percent } from '../text/numbers.js';
import { padCell, paddedTable } from '../text/padded-table.js';
import type { Finding } from './findings/finding.js';
import type { Inspection } from './inspection.js';
import type { PartName } from './named-part.js';
import type { ClassFacts } from './part-facts.js';
import type { PictureFacts } from './picture-facts.js';

/** An inspection as text for a terminal: sizes, a line a class, and the findings, worst first. */
export function formatInspection(inspection: Inspection): string {
  const { path, layout, parts, classes, notes, findings } = inspection;
  const images = parts.reduce((sum, part) => sum + part.images, 0);
  return [
    `data       ${path}: ${layout} layout, ${counted(images, 'image')}, ${counted(classes.length, 'class', 'classes')}`,
    ...parts.map((part, i) => {
      const { name, patients, perPatient } = part;
      const people = perPatient === null ? 'patients not named' : counted(patients, 'patient');
      const most =
        perPatient === null ? '' : `, ${perPatient.median} each (median), ${perPatient.most} at most`;
      return `${i === 0 ? 'parts      ' : '           '}${padCell(name, 10)} ${counted(part.images, 'image')} of ${people}${most}; ${count(part.withoutPositives)} without positives, ${count(part.unlabelled)} without labels`;
    }),
    `pictures   ${pictureLine(inspection)}`,
    ...notes.filter((note) => !note.startsWith('WARNING')).map((note) => `reader     ${note}`),
    '',
    ...(classes.length > 0 ? [...classTable(inspection), ''] : []),
    ...(findings.length === 0 ? ['Nothing odd was found.'] : findings.flatMap(findingLines)),
  ].join('\n');
}

function pictureLine({ pictures, picturesSkipped }: Inspection): string {
  if (pictures === null) return `not looked at: ${picturesSkipped}`;
  const { looked, readable, sizes, depths } = pictures;
  const [size] = sizes;
  const bits = [
    ...(depths[8] > 0 ? [`${count(depths[8])} of 8 bits`] : []),
    ...(depths[16] > 0 ? [`${count(depths[16])} of 16 bits`] : []),
  ];
  return [
    readable === looked
      ? `all ${count(looked)} are readable`
      : `${count(readable)} of ${count(looked)} are readable`,
    ...(size === undefined ? [] : [sizeText(sizes, size)]),
    ...(bits.length > 0 ? [bits.join(', ')] : []),
  ].join('; ');
}

function sizeText(
  sizes: PictureFacts['sizes'],
  { width, height, images }: PictureFacts['sizes'][number],
): string {
  if (sizes.length === 1) return `${width} × ${height} pixels`;
  return `${count(sizes.length)} sizes, most often ${width} × ${height} (${count(images)})`;
}

/** Most common first, as the long tail is drawn. */
export function fromHeadToTail(classes: readonly ClassFacts[]): ClassFacts[] {
  return classes.toSorted((a, b) => (b.prevalence ?? -1) - (a.prevalence ?? -1));
}

function classTable({ classes, parts, samplers, notes: _, ...rest }: Inspection): string[] {
  const chosen = samplers.find((effect) => effect.chosen);
  const has = (name: PartName) => parts.some((part) => part.name === name);
  const held = (['validation', 'test'] as const).filter(has);
  const unknown = parts.some((part) => part.unknown > 0);
  const train = parts.find(({ name }) => name === 'train')?.images ?? 0;
  const after = new Map(chosen?.frequencies.classes.map((each) => [each.name, each.after]));
  const header = [
    'class',
    'group',
    'share',
    'train +',
    'patients +',
    ...held.map((name) => `${name} +`),
    ...(unknown ? ['unknown'] : []),
    ...(chosen ? [chosen.choice.name] : []),
  ];
  const rows = fromHeadToTail(classes).map((each) => [
    each.name,
    each.group ?? NOTHING,
    percent(each.prevalence),
    count(each.parts.train?.positives),
    rest.patientIds.length > 0 ? count(each.parts.train?.patients) : NOTHING,
    ...held.map((name) => count(each.parts[name]?.positives)),
    ...(unknown ? [percent(1 - (each.parts.train?.known ?? 0) / train)] : []),
    ...(chosen ? [percent(after.get(each.name))] : []),
  ]);
  return [
    ...(chosen
      ? [`sampler    ${describeSampler(chosen.choice)}: last column, share of an epoch’s visits`]
      : []),
    ...paddedTable([header, ...rows], { right: (column) => column >= 2 }),
  ];
}

function findingLines({ level, what, where, advice }: Finding): string[] {
  return [
    `${padCell(level.toUpperCase(), 8)}   ${what}`,
    ...(where === null ? [] : [`           where: ${where}`]),
    ...(advice === null ? [] : [`           do:    ${advice}`]),
  ];
}
