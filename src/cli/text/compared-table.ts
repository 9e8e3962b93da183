import type { ComparedMetric } from '../../eval/metrics/compare-scores.js';
import type { Measures } from '../../eval/metrics/score-sheet.js';
import type { ComparedEvaluations, OnlyIn } from '../../predict/compare-evaluations.js';
import { count, counted, decimals, NOTHING, percent, signed } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';
import { someOf } from './evaluation-table.js';

/** Two subjects side by side as text for a terminal: AP, AUROC and their differences a class and average. */
export function formatCompared(compared: ComparedEvaluations, first: string, second: string): string {
  const { images, patients, level, drawn, perClass, groups, unmatched } = compared;
  const averages: [string, Measures<ComparedMetric>][] = [
    ['macro', compared.macro],
    ['micro', compared.micro],
    ['weighted', compared.weighted],
    ...Object.entries(groups).map(([name, means]): [string, Measures<ComparedMetric>] => [
      `macro ${name}`,
      means,
    ]),
  ];
  const rows = [
    ...perClass.map((row) => [
      row.name,
      row.group ?? '',
      count(row.positives),
      ...cells(row.ap),
      ...cells(row.auroc),
    ]),
    ...averages.map(([name, { ap, auroc }]) => [name, '', '', ...cells(ap), ...cells(auroc)]),
  ];
  const half = (metric: string) => [`${metric} 1st`, '2nd', 'difference', 'p'];
  const lines = [
    `first:  ${first}`,
    `second: ${second}`,
    `${counted(images, 'image')} of ${counted(patients, 'patient')} with labels and scores in both; groups by ${compared.groupedBy}.`,
    '',
    ...paddedTable([['class', 'group', 'positives', ...half('AP'), ...half('AUROC')], ...rows], {
      right: (column) => [2, 3, 4, 7, 8].includes(column),
      widths: [0, 6],
    }),
    '',
    `Differences are second minus first, with ${percent(level, 0)} intervals over ${drawn} (${count(compared.resamples)} draws, the same for both; ` +
      "DeLong's of a class's AUROC). A star: zero lies outside.",
    'p of classes is corrected after Holm for the classes of its column. It says nothing about the luck of a seed.',
    ...only('images', unmatched.images),
    ...only('classes', unmatched.classes),
  ];
  if (compared.unreadable.length > 0) {
    lines.push(`unreadable in one of the two, in no metric: ${someOf(compared.unreadable)}`);
  }
  if (compared.differentLabels > 0) {
    lines.push(
      `WARNING: ${counted(compared.differentLabels, 'label')} differ between the tables of the two; those of the first are used.`,
    );
  }
  return lines.join('\n');
}

function cells({ first, second, difference, corrected }: ComparedMetric): string[] {
  const { estimate, low, high, whyMissing } = difference;
  const range =
    whyMissing === null
      ? ` ${signed(low)} to ${signed(high)}${low > 0 || high < 0 ? ' *' : ''}`
      : Number.isNaN(estimate)
        ? ''
        : ` (${whyMissing})`;
  return [decimals(first), decimals(second), `${signed(estimate)}${range}`, pValue(corrected)];
}

function only(kind: string, { first, second }: OnlyIn): string[] {
  return (
    [
      ['first', first],
      ['second', second],
    ] as const
  ).flatMap(([side, names]) =>
    names.length === 0
      ? []
      : [`${kind} in the ${side} alone, left out (${count(names.length)}): ${someOf(names)}`],
  );
}

function pValue(p: number): string {
  if (!Number.isFinite(p)) return NOTHING;
  return p < 0.001 ? '<0.001' : decimals(p);
}
