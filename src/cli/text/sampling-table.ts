import type { SampledClass, SampledFrequencies } from '../../data/sampling/sampled-frequencies.js';
import { describeSampler, type SamplerChoice } from '../../data/sampling/sampler-choice.js';
import type { FrequencyGroup } from '../../data/tables/findings.js';
import { count, counted, decimals, percent } from '../../text/numbers.js';
import { padCell } from '../../text/padded-table.js';

/** The effect of a sampler on the classes, as lines for a terminal: before training, when it can still be changed. */

/** Classes named one by one: the rarest before sampling, and the rarest after. */
const NAMED = 3;
const GROUPS: readonly FrequencyGroup[] = ['head', 'medium', 'tail'];

/** The epoch's length, mean frequency of the head, medium and tail classes, and the classes that stay the rarest. */
export function formatSampling(choice: SamplerChoice, sampled: SampledFrequencies): string[] {
  const { length, images, never, most, classes } = sampled;
  const shown = classes.filter(({ positives }) => positives > 0);
  const repeats =
    choice.name === 'shuffled'
      ? 'each once'
      : [
          `${decimals(length / images, 2)} × the ${count(images)} images`,
          `one at most ${Number.isInteger(most) ? most : `about ${decimals(most, 1)}`} times`,
          ...(never > 0 ? [`${count(never)} never`] : []),
        ].join(', ');
  const lines = [`sampler    ${describeSampler(choice)}: ${count(length)} visits an epoch, ${repeats}`];
  if (choice.name === 'shuffled' || shown.length === 0) return lines;
  lines.push('           share of images with a finding → share of an epoch’s visits:');
  for (const group of GROUPS) {
    const members = shown.filter((each) => each.group === group);
    if (members.length === 0) continue;
    const mean = (of: (each: SampledClass) => number) =>
      members.reduce((sum, each) => sum + of(each), 0) / members.length;
    const title = `${group}, mean of ${members.length}`;
    lines.push(
      change(
        title,
        mean((each) => each.before),
        mean((each) => each.after),
      ),
    );
  }
  const rarest = (of: (each: SampledClass) => number) =>
    shown.toSorted((a, b) => of(a) - of(b)).slice(0, NAMED);
  const named = new Set([...rarest((each) => each.before), ...rarest((each) => each.after)]);
  for (const { name, positives, before, after } of named) {
    lines.push(`${change(name, before, after)}  (${counted(positives, 'image')})`);
  }
  return lines;
}

function change(title: string, before: number, after: number): string {
  const factor = `× ${decimals(after / before, 2)}`;
  return `             ${padCell(title, 28)} ${share(before)} → ${share(after)}  ${padCell(factor, 8, true)}`;
}

function share(fraction: number): string {
  return padCell(percent(fraction), 8, true);
}
