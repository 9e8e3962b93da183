import { scaleLinear } from 'd3-scale';
import { html } from '../report/html.js';
import { decimals } from '../text/numbers.js';
import { shortenInMiddle } from '../text/shorten.js';
import {
  type ComparedVariant,
  type Comparison,
  MEASURES,
  TESTED,
  type TestedMeasure,
} from './compare-variants.js';

/**
 * A comparison as a picture that stands alone: for each measure that is tested, a row a variant with the mean over seeds,
 * its interval, and every seed as a small dot; variants that differ from the baseline beyond doubt are in colour.
 */

/** Of the panels, with what is right of them. */
const PANELS = 710;
const ROW = 26;
const TOP = 84;
/** Of the names' column: at least so wide, and as wide as the longest name, in pixels a letter. */
const LABELS = 150;
const LETTER = 7;
const LONGEST_NAME = 40;
/** Between two panels. */
const GAP = 44;

const COLOURS = { better: '#1d7a46', worse: '#b03a48', undecided: '#555' } as const;

/** @param note below the title */
export function comparisonPlot(comparison: Comparison, title: string, note: string): string {
  const variants = comparison.variants.filter(({ seeds }) => seeds.length > 0);
  const height = TOP + variants.length * ROW + 62;
  const names = variants.map(({ name }) => shortenInMiddle(name, LONGEST_NAME));
  const labels = Math.max(LABELS, LETTER * Math.max(...names.map(({ length }) => length)) + 24);
  const width = labels + PANELS;
  const panel = (PANELS - 24 - GAP * (TESTED.length - 1)) / TESTED.length;
  const parts = [
    text(16, 26, title, 'title'),
    text(16, 44, note, 'muted'),
    ...names.map((name, i) => text(labels - 12, rowAt(i) + 4, name, 'label')),
    ...TESTED.flatMap((measure, i) => {
      const left = labels + i * (panel + GAP);
      return panelOf(comparison, variants, measure, [left, left + panel]);
    }),
    ...legend(comparison.baseline, [width - 16, height - 12]),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
${html`<title>${title}</title>`.text}
<style>text{fill:#222}.title{font-size:16px;font-weight:600}.muted{fill:#666}.label{text-anchor:end}.middle{text-anchor:middle;fill:#666}.head{text-anchor:middle;font-weight:600}</style>
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

function panelOf(
  { baseline }: Comparison,
  variants: readonly ComparedVariant[],
  measure: TestedMeasure,
  [left, right]: readonly [number, number],
): string[] {
  const bounds = variants.flatMap(({ values, means }) => [
    ...values[measure],
    means[measure].low,
    means[measure].high,
  ]);
  const finite = bounds.filter(Number.isFinite);
  if (finite.length === 0) return [];
  const x = scaleLinear()
    .domain([Math.min(...finite), Math.max(...finite)])
    .nice(4)
    .range([left, right]);
  const bottom = TOP + variants.length * ROW;
  const middle = variants.find(({ name }) => name === baseline)?.means[measure].mean;
  return [
    text((left + right) / 2, TOP - 14, MEASURES[measure].title, 'head'),
    ...x
      .ticks(4)
      .flatMap((tick) => [
        `<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 4}" y2="${bottom}" stroke="#e4e4e4"/>`,
        text(x(tick), bottom + 16, String(tick), 'middle'),
      ]),
    ...(middle === undefined
      ? []
      : [
          `<line x1="${x(middle)}" x2="${x(middle)}" y1="${TOP - 4}" y2="${bottom}" stroke="#888" stroke-dasharray="4 3"/>`,
        ]),
    ...variants.flatMap(({ name, values, means, differences }, i) => {
      const y = rowAt(i);
      const { mean, low, high } = means[measure];
      if (!Number.isFinite(mean)) return [];
      const colour = COLOURS[differences[measure]?.verdict ?? 'undecided'];
      return [
        ...values[measure].map(
          (value) => `<circle cx="${x(value)}" cy="${y + 7}" r="2" fill="${colour}" opacity="0.45"/>`,
        ),
        ...(Number.isFinite(low)
          ? [
              `<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2" opacity="0.6"/>`,
            ]
          : []),
        html`<circle cx="${x(mean)}" cy="${y}" r="4.5" fill="${colour}"><title>${name}: ${decimals(mean, 4)}</title></circle>`
          .text,
      ];
    }),
  ];
}

function legend(baseline: string, [right, y]: readonly [number, number]): string[] {
  const entries = [
    ['better', `better than ${baseline}`],
    ['worse', 'worse'],
    ['undecided', 'not decided'],
  ] as const;
  return [
    ...entries.flatMap(([verdict, words], i) => [
      `<circle cx="${20 + i * 160}" cy="${y - 4}" r="4.5" fill="${COLOURS[verdict]}"/>`,
      text(30 + i * 160, y, words, 'muted'),
    ]),
    text(right, y, 'mean of the seeds, 95 % t-interval, and each seed', 'label muted'),
  ];
}

function rowAt(i: number): number {
  return TOP + i * ROW + ROW / 2;
}

function text(x: number, y: number, words: string, style: string): string {
  return html`<text x="${x}" y="${y}" class="${style}">${words}</text>`.text;
}
