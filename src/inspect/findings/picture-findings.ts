import { count, counted, percent } from '../../text/numbers.js';
import type { Inspection } from '../inspection.js';
import type { PictureFacts } from '../picture-facts.js';
import { copyFindings } from './copy-findings.js';
import { agree, type Finding, some } from './finding.js';

/** Findings about the files themselves: unreadable and damaged ones, copies, odd sizes and depths. */
export function pictureFindings({
  pictures,
  picturesSkipped,
}: Pick<Inspection, 'pictures' | 'picturesSkipped'>): Finding[] {
  if (pictures === null) {
    if (picturesSkipped === null) return [];
    return [
      { level: 'note', what: `No picture was looked at: ${picturesSkipped}.`, where: null, advice: null },
    ];
  }
  return [
    ...unusable(pictures),
    ...damaged(pictures),
    ...copyFindings(pictures.copies),
    ...inverted(pictures),
    ...depths(pictures),
    ...sizes(pictures),
  ];
}

function unusable({ unusable: files, looked }: PictureFacts): Finding[] {
  if (files.length === 0) return [];
  const kinds = new Map<string, number>();
  for (const { kind } of files) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  return [
    {
      level: files.length / looked > 0.01 ? 'serious' : 'warning',
      what: `${count(files.length)} of ${counted(looked, 'image')} cannot be used (${[...kinds].map(([kind, n]) => `${n} ${kind}`).join(', ')}), and will be left out of training.`,
      where: some(
        files.map(({ image, line, reason }) => `${image} (line ${line}): ${reason.replace(/\.$/, '')}`),
        3,
      ),
      advice:
        'Repair or fetch them again, or take their rows out; train --strict refuses to start while there are any.',
    },
  ];
}

function damaged({ damaged: files }: PictureFacts): Finding[] {
  if (files.length === 0) return [];
  return [
    {
      level: 'warning',
      what: `${counted(files.length, 'image')} ${agree(files.length, 'is', 'are')} damaged, and used as far as possible.`,
      where: some(
        files.map(({ image, line, damage }) => `${image} (line ${line}): ${damage.replace(/\.$/, '')}`),
        3,
      ),
      advice: 'Repair or fetch them again; without --lenient they are left out.',
    },
  ];
}

function inverted({ inverted: images }: PictureFacts): Finding[] {
  if (images.length === 0) return [];
  return [
    {
      level: 'warning',
      what: `${counted(images.length, 'image')} ${agree(images.length, 'looks', 'look')} like ${agree(images.length, 'a negative', 'negatives')} of the others (bones black): MONOCHROME1 exported as it is.`,
      where: some(images),
      advice: 'Invert them, or take them out.',
    },
  ];
}

function depths({ depths: stored, bitsUsed, readable }: PictureFacts): Finding[] {
  const findings: Finding[] = [];
  if (stored[8] > 0 && stored[16] > 0) {
    findings.push({
      level: 'note',
      what: `${counted(stored[8], 'image')} ${agree(stored[8], 'is', 'are')} stored in 8 bits and ${counted(stored[16], 'image')} in 16.`,
      where: null,
      advice: 'Keep preprocessing.window at its percentiles, which make them alike.',
    });
  }
  const dark = bitsUsed.filter(({ bits }) => bits < 16).reduce((sum, { images }) => sum + images, 0);
  if (dark > 0) {
    findings.push({
      level: 'note',
      what: `${counted(dark, '16-bit image')} (${percent(dark / readable)} of all) ${agree(dark, 'leaves', 'leave')} the top of their range empty: the brightest pixel takes ${bitsUsed.map(({ bits }) => bits).join(', ')} bits.`,
      where: null,
      advice: 'Keep preprocessing.window at its percentiles; with `full` they would be nearly black.',
    });
  }
  return findings;
}

function sizes({ enlarged, distorted, readable, network }: PictureFacts): Finding[] {
  const findings: Finding[] = [];
  if (enlarged > 0) {
    findings.push({
      level: enlarged / readable > 0.5 ? 'warning' : 'note',
      what: `${counted(enlarged, 'image')} (${percent(enlarged / readable)}) ${agree(enlarged, 'is', 'are')} smaller than the ${network[1]} × ${network[0]} pixels that the network is shown: enlarging them costs time and brings no detail.`,
      where: null,
      advice: 'Lower preprocessing.size, or use larger originals.',
    });
  }
  if (distorted > 0) {
    findings.push({
      level: 'note',
      what: `${counted(distorted, 'image')} (${percent(distorted / readable)}) ${agree(distorted, 'changes', 'change')} shape by more than a fifth on the way to ${network[1]} × ${network[0]}.`,
      where: null,
      advice: 'A wide heart may become a narrow one; crop or pad them, or change preprocessing.size.',
    });
  }
  return findings;
}
