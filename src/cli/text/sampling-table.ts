import type { SampledClass, SampledFrequencies } from '../../data/sampling/sampled-frequencies.js';
import { describeSampler, type SamplerChoice } from '../../data/sampling/sampler-choice.js';
import type { FrequencyGroup } from '../../data/tables/findings.js';

/** What a sampler will do to the classes, as lines for a terminal: before training, when it can still be changed. */

/** Classes named one by one: those that are the rarest before or after. */
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
          `${(length / images).toFixed(2)} × the ${number(images)} images`,
          `one at most ${Number.isInteger(most) ? most : `about ${most.toFixed(1)}`} times`,
          ...(never > 0 ? [`${number(never)} never`] : []),
        ].join(', ');
  const lines = [`sampler    ${describeSampler(choice)}: ${number(length)} visits an epoch, ${repeats}`];
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
    lines.push(`${change(name, before, after)}  (${number(positives)} image${positives === 1 ? '' : 's'})`);
  }
  return lines;
}

function change(title: string, before: number, after: number): string {
  const factor = `× ${(after / before).toFixed(2)}`;
  return `             ${title.padEnd(28)} ${percent(before)} → ${percent(after)}  ${factor.padStart(8)}`;
}

/** Three significant digits of a percentage: `12.3 %`, `0.181 %`. */
function percent(fraction: number): string {
  const value = 100 * fraction;
  const digits = value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return `${value.toFixed(digits)} %`.padStart(8);
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
