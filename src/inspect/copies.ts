import { nearPairs } from '../data/images/perceptual-hash.js';
import type { PartName } from './named-part.js';
import type { Picture } from './picture-survey.js';

/** One radiograph under several names. */

export interface CopyGroup {
  /** `identical`: the very same grey values; `near`: alike but for size, brightness or compression. */
  readonly kind: 'identical' | 'near';
  readonly members: readonly {
    readonly image: string;
    readonly part: PartName;
    readonly patient: string | null;
  }[];
  /** Distinct parts, in their order. */
  readonly parts: readonly PartName[];
  /** Distinct patients named. */
  readonly patients: number;
  /** Whether the labels of two members differ. */
  readonly labelsDiffer: boolean;
  /** Least correlation of the pairs that made the group; 1 for identical ones. */
  readonly correlation: number;
}

/** Groups of two and more: groups across parts first, then groups of several patients, larger ones first. */
export function findCopies(pictures: readonly Picture[]): CopyGroup[] {
  const byDigest = new Map<string, Picture[]>();
  for (const picture of pictures) {
    const group = byDigest.get(picture.digest);
    if (group === undefined) byDigest.set(picture.digest, [picture]);
    else group.push(picture);
  }
  const distinct = [...byDigest.values()];
  const identical = distinct
    .filter((group) => group.length > 1)
    .map((group) => groupOf('identical', group, 1));
  return [...identical, ...nearGroups(distinct.flatMap((group) => group[0] ?? []))].sort(
    (a, b) =>
      b.parts.length - a.parts.length ||
      Math.min(2, b.patients) - Math.min(2, a.patients) ||
      b.members.length - a.members.length,
  );
}

/** Connected pairs, one picture of each digest. */
function nearGroups(pictures: readonly Picture[]): CopyGroup[] {
  const pairs = nearPairs(pictures.map(({ fingerprint }) => fingerprint));
  const rootOf = new Map<number, number>();
  const find = (i: number): number => {
    let root = i;
    for (let up = rootOf.get(root); up !== undefined; up = rootOf.get(root)) root = up;
    return root;
  };
  for (const { a, b } of pairs) {
    const [left, right] = [find(a), find(b)];
    if (left !== right) rootOf.set(Math.max(left, right), Math.min(left, right));
  }
  const groups = new Map<number, { members: Set<number>; least: number }>();
  for (const { a, b, correlation } of pairs) {
    const root = find(a);
    const group = groups.get(root) ?? { members: new Set(), least: 1 };
    group.members.add(a).add(b);
    group.least = Math.min(group.least, correlation);
    groups.set(root, group);
  }
  return [...groups.values()].map(({ members, least }) =>
    groupOf(
      'near',
      [...members].sort((a, b) => a - b).flatMap((i) => pictures[i] ?? []),
      least,
    ),
  );
}

function groupOf(kind: CopyGroup['kind'], pictures: readonly Picture[], correlation: number): CopyGroup {
  const [first] = pictures;
  return {
    kind,
    members: pictures.map(({ part, row: { image, patient } }) => ({ image, part, patient })),
    parts: [...new Set(pictures.map(({ part }) => part))],
    patients: new Set(pictures.flatMap(({ row }) => row.patient ?? [])).size,
    labelsDiffer: pictures.some(({ labels }) =>
      labels.some((label, c) => !Object.is(label, first?.labels[c])),
    ),
    correlation,
  };
}
