import type { Interval } from '../../eval/metrics/interval.js';
import type { MeasuredScores } from '../../eval/metrics/measure-scores.js';
import type { Measures } from '../../eval/metrics/score-sheet.js';
import type { MeasuredColumn, MeasuredSubgroup } from '../../eval/metrics/subgroups.js';
import type { Evaluation } from '../../predict/evaluation.js';
import { count, counted, decimals, NOTHING, percent, signed } from '../../text/numbers.js';
import type { Line } from '../../text/styled.js';
import { averagesOf, type Column, compact, measureTable } from './measure-table.js';
import { type Terminal, terminalTable } from './terminal.js';

/**
 * An evaluation as text for a terminal: the means first, then a line a class and average in two tables (how well it ranks, and
 * how well its scores can be taken at their word), subgroups, and all that is left out.
 */
export function formatEvaluation(evaluation: Evaluation, terminal: Terminal): (Line | string)[] {
  const { measured, macro, images, leftOut, unreadable } = evaluation;
  const { specificities, level } = measured;
  const fitted = measured.macro.fittedF1;
  const ranking: Column[] = [
    ['AP', ({ ap }) => ap],
    ['AUROC', ({ auroc }) => auroc],
    ...specificities.map(
      (specificity, s): Column => [`sens. @ spec. ${specificity}`, ({ sensitivity }) => sensitivity[s]],
    ),
  ];
  const atTheirWord: Column[] = [
    ['F1 @ 0.5', (measures) => measures.f1],
    ...(fitted ? [['F1 @ fitted', ({ fittedF1 }) => fittedF1] satisfies Column] : []),
    ['Brier', ({ brier }) => brier],
    ['ECE, equal width', ({ ece }) => ece],
    ['ECE, equal mass', ({ eceMass }) => eceMass],
  ];
  const lines: (Line | string)[] = [
    `${counted(images, 'image')} of ${counted(evaluation.patients, 'patient')}; groups by ${evaluation.groupedBy}.`,
    '',
    `macro mAP    ${withInterval(measured.macro.ap)}; a guess by prevalence has ${number(macro.prevalenceGuess)}`,
    `macro AUROC  ${withInterval(measured.macro.auroc)}`,
    ...(fitted
      ? [
          `macro F1     ${withInterval(fitted)} at ${evaluation.thresholds ? 'the given thresholds' : 'the thresholds that are best on validation'}`,
        ]
      : []),
    `macro F1     ${withInterval(measured.macro.f1)} at 0.5, ${number(macro.bestF1)} at each class's best threshold (flattering)`,
    '',
    `How well images are ranked: value, ${percent(level, 0)} interval over ${measured.drawn}.`,
    ...measureTable(measured, ranking, { terminal, drawn: true }),
    '',
    'How far scores can be taken at their word:',
    ...measureTable(measured, atTheirWord, { terminal, drawn: false }),
    ...measured.subgroups.flatMap((column) => subgroupTable(column, terminal)),
    '',
  ];
  for (const { name, metrics, reason } of leftOut) {
    lines.push(`left out: ${name} of ${metrics.join(', ')} (${reason})`);
  }
  lines.push(...missingIntervals(measured, [...ranking, ...atTheirWord]));
  if (unreadable.length > 0) lines.push(`unreadable, in no metric: ${someOf(unreadable)}`);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** The first ten names, and how many more there are. */
export function someOf(names: readonly string[]): string {
  const more = names.length > 10 ? ` and ${count(names.length - 10)} more` : '';
  return `${names.slice(0, 10).join(', ')}${more}`;
}

/**
 * The macro means of each value of a column, and how far they are from the largest subgroup's. On a narrow terminal the
 * columns with the lowest numbers go first.
 */
function subgroupTable({ name, subgroups, unknown }: MeasuredColumn, terminal: Terminal): (Line | string)[] {
  const largest = subgroups.find(({ measures }) => measures !== null)?.value ?? NOTHING;
  return [
    '',
    `By ${name}: macro means, and gaps from "${largest}" over the classes that both have${unknown > 0 ? `; not known of ${counted(unknown, 'image')}` : ''}.`,
    ...terminalTable<MeasuredSubgroup>(
      [
        { title: name, least: 12, content: ({ value }) => value },
        { title: 'images', right: true, leave: 4, content: ({ images }) => count(images) },
        { title: 'patients', right: true, leave: 1, content: ({ patients }) => count(patients) },
        { title: 'mAP', content: ({ measures }) => compact(measures?.macro.ap) },
        { title: 'AUROC', leave: 3, content: ({ measures }) => compact(measures?.macro.auroc) },
        { title: 'mAP gap', leave: 5, content: ({ gap }) => compactGap(gap?.macro.ap) },
        { title: 'AUROC gap', leave: 2, content: ({ gap }) => compactGap(gap?.macro.auroc) },
      ],
      subgroups,
      terminal,
    ),
    ...subgroups.flatMap(({ value, whyMissing }) =>
      whyMissing === null ? [] : [`not measured: ${value} (${whyMissing})`],
    ),
  ];
}

/** Why numbers have no interval, a line a metric and reason. Classes without the metric are named elsewhere. */
function missingIntervals(measured: MeasuredScores, columns: readonly Column[]): string[] {
  const rows = [
    ...measured.perClass.map((row): [string, Measures<Interval>] => [row.name, row]),
    ...averagesOf(measured),
  ];
  return columns.flatMap(([title, of]) => {
    const byReason = new Map<string, string[]>();
    for (const [name, measures] of rows) {
      const { estimate = Number.NaN, whyMissing = null } = of(measures) ?? {};
      if (whyMissing === null || Number.isNaN(estimate)) continue;
      byReason.set(whyMissing, [...(byReason.get(whyMissing) ?? []), name]);
    }
    return Array.from(byReason, ([reason, names]) => `no interval: ${title} of ${someOf(names)} (${reason})`);
  });
}

/** A star stands where zero lies outside of the interval. */
function compactGap(interval: Interval | undefined): string {
  if (interval === undefined || Number.isNaN(interval.estimate)) return NOTHING;
  const { estimate, low, high, whyMissing } = interval;
  if (whyMissing !== null) return `${signed(estimate)} ${NOTHING}`;
  return `${signed(estimate)} ${signed(low)} to ${signed(high)}${low > 0 || high < 0 ? ' *' : ''}`;
}

function withInterval({ estimate, low, high, level, whyMissing }: Interval): string {
  if (whyMissing !== null) return `${number(estimate)} (no interval over patients: ${whyMissing})`;
  return `${number(estimate)} (${percent(level, 0)} interval over patients: ${number(low)} to ${number(high)})`;
}

function number(value: number): string {
  return decimals(value, 4);
}
