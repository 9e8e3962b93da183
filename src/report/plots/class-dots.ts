import { decimals } from '../../text/numbers.js';
import { shorten } from '../../text/shorten.js';
import { type Html, html } from '../html.js';
import { natural, round, scaleOf, ticksOf } from './frame.js';

/** One row a class, one dot a run: where runs differ along the long tail. */

export interface ClassDots {
  readonly name: string;
  /** The value of a guess, drawn as a tick; none where it is 0 or NaN. */
  readonly guess: number;
  /** Rows of one group lie together; a rule divides them from the next. */
  readonly group: string | null;
  readonly dots: readonly { readonly value: number; readonly style: string; readonly label: string }[];
}

const WIDTH = 440;
const ROW = 17;
const NAMES = 182;
const TOP = 34;
const LONGEST_NAME = 30;

/** @param rows values are fractions in [0, 1]; NaN draws no dot */
export function classDots(rows: readonly ClassDots[]): Html {
  const axis = {
    scale: 'linear',
    domain: [0, 1],
    label: 'average precision; tick: prevalence guess',
  } as const;
  const scale = scaleOf(axis, [NAMES, WIDTH - 40]);
  const bottom = TOP + rows.length * ROW;
  return html`<svg viewBox="0 0 ${WIDTH} ${bottom + 6}" style="max-width:${natural(WIDTH)}px" role="img" aria-label="Average precision of each class and run">
<text class="label" x="${NAMES}" y="10">${axis.label}</text>
${ticksOf(axis, scale).map(
  ({ at, text }) =>
    html`<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 5}" y2="${bottom}"/><text class="tick" x="${at}" y="${TOP - 9}" text-anchor="middle">${text}</text>`,
)}
${rows.map(({ name, guess, group, dots }, row) => {
  const middle = TOP + (row + 0.5) * ROW;
  const drawn = dots.filter(({ value }) => Number.isFinite(value));
  const ends = drawn.map(({ value }) => scale(value));
  const begins = group !== rows[row - 1]?.group;
  return html`<g>${begins && html`<line class="divide" x1="0" x2="${WIDTH}" y1="${TOP + row * ROW}" y2="${TOP + row * ROW}"/><text class="group ${group}" x="${WIDTH}" y="${middle}" dy=".34em" text-anchor="end">${group}</text>`}<text class="name" x="${NAMES - 8}" y="${middle}" dy=".34em" text-anchor="end">${shorten(name, LONGEST_NAME)}</text>
${guess > 0 && html`<line class="guess" x1="${round(scale(guess))}" x2="${round(scale(guess))}" y1="${middle - 6}" y2="${middle + 6}"/>`}${
  drawn.length > 1 &&
  html`<line class="grid" x1="${round(Math.min(...ends))}" x2="${round(Math.max(...ends))}" y1="${middle}" y2="${middle}"/>`
}${drawn.map(
  ({ value, style: colour, label }) =>
    html`<circle class="dot ${colour}" cx="${round(scale(value))}" cy="${middle}" r="3.6"><title>${label}, ${name}: ${decimals(value)}</title></circle>`,
)}</g>`;
})}
</svg>`;
}
