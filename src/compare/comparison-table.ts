import type { MeanInterval } from '../eval/metrics/student-t.js';
import { table } from '../report/markdown.js';
import { visibleText } from '../storage/visible-text.js';
import { count, decimals, NOTHING, signed } from '../text/numbers.js';
import type { CollectedScores } from './collect-scores.js';
import {
  type ComparedVariant,
  type Comparison,
  type Difference,
  MEASURES,
  type Measure,
  TESTED,
  type TestedMeasure,
} from './compare-variants.js';

/** A comparison in words: the differences that withstand the tests, and a table in Markdown. */

/** One sentence or two for each measure that is tested. */
export function conclusions({ baseline, variants, tests, resamples }: Comparison): string[] {
  const others = variants.filter(({ name, seeds }) => name !== baseline && seeds.length > 0);
  if (others.every(({ differences }) => TESTED.every((measure) => !decidable(differences[measure])))) {
    return [
      `No winner is called: with one seed, a difference from ${baseline} can be the luck of the seed. Add seeds.`,
    ];
  }
  return TESTED.map((measure) => {
    const { title } = MEASURES[measure];
    const those = (verdict: Difference['verdict']) =>
      others.filter(({ differences }) => differences[measure]?.verdict === verdict).map(({ name }) => name);
    const better = those('better');
    const worse = those('worse');
    const basis = `at the 95 % level, corrected for ${tests} comparisons, over patients (${count(resamples)} draws) and over seeds`;
    const parts = [
      better.length > 0
        ? `${title}: better than ${baseline}: ${better.join(', ')} (${basis})` +
          `${better.length > 1 ? '; which of them is best is not decided by this' : ''}.`
        : `${title}: no variant is better than ${baseline} (${basis}).`,
    ];
    if (worse.length > 0) parts.push(`Worse: ${worse.join(', ')}.`);
    return parts.join(' ');
  });
}

/** The whole as Markdown. @param title of the comparison @param command the command line that made it */
export function comparisonMarkdown(
  comparison: Comparison,
  scores: CollectedScores,
  { title, command }: { readonly title: string; readonly command: string },
): string {
  const { part, groups, missing, simulated } = scores;
  const classesOf = (group: string) => groups.filter((each) => each === group).length;
  const patients = new Set(part.patients.filter((patient) => patient !== null)).size;
  const measures = (Object.keys(MEASURES) as Measure[]).filter((measure) =>
    comparison.variants.some(({ means }) => Number.isFinite(means[measure].mean)),
  );
  const [first = '', ...numbers] = [
    'variant',
    'seeds',
    ...measures.map((measure) => MEASURES[measure].title),
    ...TESTED.map((measure) => `${MEASURES[measure].title} against ${comparison.baseline}`),
  ];
  const columns = [{ title: first }, ...numbers.map((title) => ({ title, number: true }))];
  const rows = comparison.variants.map((variant) => [
    variant.name,
    String(variant.seeds.length),
    ...measures.map((measure) => spread(variant.means[measure])),
    ...TESTED.map((measure) => differenceText(variant, measure, comparison.baseline)),
  ]);
  return visibleText(`# ${title}

${simulated ? '**Simulated data: the images are phantoms drawn by a program; this says nothing about patients.**\n\n' : ''}${conclusions(comparison).join('\n\n')}

${table(columns, rows)}

Measured on ${count(part.n)} ${part.name} images${patients > 0 ? ` of ${count(patients)} patients` : ''}; ${classesOf('head')} head, ${classesOf('medium')} medium and ${classesOf('tail')} tail classes by their prevalence in training (above 10 %, below 1 %). Means: ± is the 95 % t-interval over seeds. Differences: the mean over seeds; in brackets their 95 % interval by the luck of patients (paired bootstrap) and of seeds together; p is the largest of the p-values against either luck and both, corrected after Holm for ${comparison.tests} comparisons.
${missing.length > 0 ? `\nNot finished, and so not in the table: ${missing.join(', ')}.\n` : ''}
    ${command}
`);
}

function differenceText({ name, differences }: ComparedVariant, measure: TestedMeasure, baseline: string) {
  const difference = differences[measure];
  if (name === baseline) return 'baseline';
  if (!difference) return NOTHING;
  const [low, high] = difference.overBoth;
  const text = `${signed(difference.estimate)} [${signed(low)}, ${signed(high)}], p ${pValue(difference.p)}`;
  return difference.verdict === 'undecided' ? text : `**${text}**`;
}

function decidable(difference: Difference | null): boolean {
  return difference !== null && !Number.isNaN(difference.p);
}

function spread({ mean, high }: MeanInterval): string {
  if (!Number.isFinite(mean)) return NOTHING;
  return Number.isFinite(high) ? `${decimals(mean)} ± ${decimals(high - mean)}` : decimals(mean);
}

function pValue(p: number): string {
  if (!Number.isFinite(p)) return NOTHING;
  return p < 0.001 ? '< 0.001' : decimals(p);
}
