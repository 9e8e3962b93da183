import { positiveClasses } from '../data/sampling/expected-visits.js';
import { coOccurrence, PAIRED_CLASSES } from '../data/tables/co-occurrence.js';
import { labelledRows } from '../data/tables/labelled-rows.js';
import type { NamedPart } from './named-part.js';

/** Labels that contradict each other, or say one thing twice. */

export interface LabelOddities {
  /** Images that are normal and have a finding at once. */
  readonly normalWithFinding: {
    readonly className: string;
    readonly images: number;
    /** An image and its findings. */
    readonly example: string;
  } | null;
  /** Classes that always come together, both ways. */
  readonly twins: readonly { readonly names: readonly [string, string]; readonly images: number }[];
  /** Classes that never come without another one. */
  readonly implied: readonly { readonly name: string; readonly by: string; readonly images: number }[];
  /** Images named in two ways that differ in case or extension only. */
  readonly sameNames: readonly (readonly [string, string])[];
}

/** Fewer images than this may come together by chance. */
const ENOUGH = 20;

export function labelOddities(classes: readonly string[], parts: readonly NamedPart[]): LabelOddities {
  return {
    normalWithFinding: normalWithFinding(classes, parts),
    ...(classes.length > PAIRED_CLASSES ? { twins: [], implied: [] } : pairOddities(classes, parts)),
    sameNames: sameNames(parts),
  };
}

function pairOddities(
  classes: readonly string[],
  parts: readonly NamedPart[],
): Pick<LabelOddities, 'twins' | 'implied'> {
  const together = parts.map((part) => coOccurrence(labelledRows(part)).pairs);
  const both = (a: number, b: number) =>
    together.reduce((sum, pairs) => sum + (pairs[a * classes.length + b] ?? 0), 0);
  const twins: LabelOddities['twins'][number][] = [];
  const implied: LabelOddities['implied'][number][] = [];
  for (const [a, name] of classes.entries()) {
    const images = both(a, a);
    if (images < ENOUGH) continue;
    for (const [b, by] of classes.entries()) {
      if (a === b || both(a, b) < images) continue;
      if (both(b, b) > images) implied.push({ name, by, images });
      else if (a < b) twins.push({ names: [name, by], images });
    }
  }
  return { twins, implied };
}

function normalWithFinding(
  classes: readonly string[],
  parts: readonly NamedPart[],
): LabelOddities['normalWithFinding'] {
  const normal = classes.findIndex((name) => /^(normal|no[ _]?findings?)$/i.test(name));
  if (normal < 0) return null;
  let images = 0;
  let example = '';
  for (const part of parts) {
    const samples = labelledRows(part);
    for (let i = 0; i < samples.length; i++) {
      const present = positiveClasses(samples, i);
      if (present.length < 2 || !present.includes(normal)) continue;
      images++;
      if (example !== '') continue;
      const row = part.table.rows[part.indices[i] ?? -1];
      example = `${row?.image} (line ${row?.line}): ${present.map((c) => classes[c]).join(', ')}`;
    }
  }
  return images === 0 ? null : { className: classes[normal] ?? '', images, example };
}

function sameNames(parts: readonly NamedPart[]): [string, string][] {
  const first = new Map<string, string>();
  const pairs: [string, string][] = [];
  for (const { table, indices } of parts) {
    for (const index of indices) {
      const image = table.rows[index]?.image ?? '';
      const folded = image.toLowerCase().replace(/\.(png|jpe?g)$/, '');
      const earlier = first.get(folded);
      if (earlier === undefined) first.set(folded, image);
      else if (earlier !== image) pairs.push([earlier, image]);
    }
  }
  return pairs;
}
