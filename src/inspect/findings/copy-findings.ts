import { counted } from '../../text/numbers.js';
import type { CopyGroup } from '../copies.js';
import { agree, type Finding, some } from './finding.js';

/** Radiographs under several names: each group is told once, by the worst that can be said of it. */

interface Topic {
  readonly wanted: (group: CopyGroup) => boolean;
  /** Of copies that are the same pixel by pixel; of others, which only seem to be copies, it is one less. */
  readonly level: Finding['level'];
  /** The words after `3 radiographs occur several times`. */
  readonly what: string;
  readonly advice: string;
}

/** Worst first. */
const TOPICS: readonly Topic[] = [
  {
    wanted: ({ parts }) => parts.length > 1,
    level: 'serious',
    what: ', in two parts of the split: the model is tested on what it was trained on',
    advice: 'Keep one copy of each, and all images of a patient in one part.',
  },
  {
    wanted: ({ labelsDiffer }) => labelsDiffer,
    level: 'warning',
    what: ', with different labels',
    advice: 'At most one of the labels is right; keep that one.',
  },
  {
    wanted: ({ patients }) => patients > 1,
    level: 'warning',
    what: ', under different patients',
    advice: 'Two identifiers may stand for one person; then a split by patient is none.',
  },
  {
    wanted: () => true,
    level: 'note',
    what: '',
    advice: 'They count several times in every score; keep one of each.',
  },
];

/** Findings about copies; identical ones before similar ones. */
export function copyFindings(copies: readonly CopyGroup[]): Finding[] {
  const worst = (group: CopyGroup) => TOPICS.find((topic) => topic.wanted(group));
  return TOPICS.flatMap((topic) => {
    const groups = copies.filter((group) => worst(group) === topic);
    const exact = groups.filter(({ kind }) => kind === 'identical');
    const near = groups.filter(({ kind }) => kind === 'near');
    const findings: Finding[] = [];
    const n = exact.length;
    if (n > 0) {
      const what = `${counted(n, 'radiograph')} ${agree(n, 'occurs', 'occur')} several times, pixel by pixel${topic.what}.`;
      findings.push({ level: topic.level, what, where: members(exact), advice: topic.advice });
    }
    if (near.length > 0) {
      const what = `${counted(near.length, 'radiograph')} ${agree(near.length, 'seems', 'seem')} to occur several times, saved in different ways${topic.what}.`;
      findings.push({
        level: topic.level === 'serious' ? 'warning' : 'note',
        what,
        where: members(near),
        advice: `See side by side whether they are copies (--html). If so: ${topic.advice.charAt(0).toLowerCase()}${topic.advice.slice(1)}`,
      });
    }
    return findings;
  });
}

function members(groups: readonly CopyGroup[]): string {
  const names = groups.map((group) =>
    group.members
      .slice(0, 3)
      .map(({ image, part }) => `${image} (${part})`)
      .join(' = '),
  );
  return some(names, 3);
}
