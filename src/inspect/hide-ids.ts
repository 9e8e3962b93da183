import type { Inspection } from './inspection.js';

/**
 * An inspection is shown around, and an identifier may be that of a person. So patients are counted, and stand in the
 * facts as `#1`, `#2`, … in the order in which they come up, unless somebody asks for their identifiers.
 */
export function hideIds(facts: Omit<Inspection, 'findings'>): Omit<Inspection, 'findings'> {
  const numbers = new Map<string, string>();
  const hide = (id: string) => {
    const known = numbers.get(id) ?? `#${numbers.size + 1}`;
    numbers.set(id, known);
    return known;
  };
  return {
    ...facts,
    idsShown: false,
    parts: facts.parts.map((part) => ({
      ...part,
      perPatient: part.perPatient && { ...part.perPatient, mostOf: hide(part.perPatient.mostOf) },
    })),
    leaks: facts.leaks.map((leak) => ({ ...leak, patients: leak.patients.map(hide) })),
    patientIds: facts.patientIds.map((column) => ({
      ...column,
      mangled: column.mangled && { ...column.mangled, example: hide(column.mangled.example) },
      rounded: column.rounded && { ...column.rounded, example: hide(column.rounded.example) },
      respelt: column.respelt.map((spellings) => spellings.map(hide)),
      exampleText: column.exampleText === null ? null : hide(column.exampleText),
    })),
    pictures: facts.pictures && {
      ...facts.pictures,
      copies: facts.pictures.copies.map((group) => ({
        ...group,
        members: group.members.map((member) => ({
          ...member,
          patient: member.patient === null ? null : hide(member.patient),
        })),
      })),
    },
  };
}
