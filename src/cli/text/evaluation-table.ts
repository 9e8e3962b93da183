import type { Interval } from '../../eval/metrics/interval.js';
import type { ClassSummary, MacroMeans } from '../../eval/metrics/summarize.js';
import type { Evaluation } from '../../predict/evaluation.js';
import { decimals, percent } from '../../text/numbers.js';
import { padCell, paddedTable } from '../../text/padded-table.js';

/** An evaluation as text for a terminal: a line a class, the means with their intervals, and who is left out. */
export function formatEvaluation(evaluation: Evaluation): string {
  const { perClass, groups, intervals, macro, leftOut, unreadable, images, patients, thresholds } =
    evaluation;
  const lines = [
    `${images} images of ${patients} patients; groups by ${evaluation.groupedBy}.`,
    '',
    ...classTable(perClass, thresholds),
    '',
    `macro mAP    ${withInterval(intervals.mAP)}; a guess by prevalence has ${number(macro.prevalenceGuess)}`,
    `macro AUROC  ${withInterval(intervals.auroc)}`,
    `macro F1     ${number(macro.f1)} at ${thresholds ? 'the given thresholds' : '0.5'}, ${number(macro.bestF1)} at each class's best threshold (flattering)`,
    `macro ECE    ${number(macro.ece)}`,
    ...Object.entries(groups).map(([name, means]) => groupLine(name, means)),
  ];
  for (const { name, metrics, reason } of leftOut) {
    lines.push(`left out: ${name} of ${metrics.join(', ')} (${reason})`);
  }
  if (unreadable.length > 0) {
    lines.push(
      `unreadable, in no metric: ${unreadable.slice(0, 10).join(', ')}` +
        `${unreadable.length > 10 ? ` and ${unreadable.length - 10} more` : ''}`,
    );
  }
  return lines.join('\n');
}

const TITLES = ['class', 'group', 'known', 'positives', 'AP', 'AUROC', 'F1@0.5', 'best F1', 'ECE'];

/** Thresholds that were given stand in a column before their F1. */
function classTable(perClass: readonly ClassSummary[], thresholds: readonly number[] | null): string[] {
  const titles = thresholds ? TITLES.toSpliced(6, 1, 'threshold', 'F1') : TITLES;
  const rows = perClass.map((row, c) => [
    row.name,
    row.group ?? '',
    String(row.known),
    String(row.positives),
    ...[row.ap, row.auroc].map(number),
    ...(thresholds ? [number(thresholds[c] ?? Number.NaN)] : []),
    ...[row.f1, row.bestF1, row.ece].map(number),
  ]);
  return paddedTable([titles, ...rows], { right: (column) => column >= 2, widths: [0, 6] });
}

function groupLine(name: string, means: MacroMeans & { readonly classes: readonly string[] }): string {
  return `${padCell(name, 12)} mAP ${number(means.mAP)}, AUROC ${number(means.auroc)} over ${means.classes.length} classes`;
}

function withInterval({ estimate, low, high, level, whyMissing }: Interval): string {
  if (whyMissing !== null) return `${number(estimate)} (no interval over patients: ${whyMissing})`;
  return `${number(estimate)} (${percent(level, 0)} interval over patients: ${number(low)} to ${number(high)})`;
}

function number(value: number): string {
  return decimals(value, 4);
}
