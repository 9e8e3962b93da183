import { shorten } from '../../text/shorten.js';
import { type Html, html } from '../html.js';
import { type Axis, natural, round, scaleOf, ticksOf } from './frame.js';

/** Horizontal bars, one row a class, names on the left: readable for 30 classes on a phone as on a page. */

export interface ClassBar {
  readonly name: string;
  /** Not finite: no bar, only `note`. */
  readonly value: number;
  /** A tick across the bar, such as the value of a guess; null for none. */
  readonly tick: number | null;
  /** Drawn as a line from end to end; absent or not finite: none. */
  readonly interval?: { readonly low: number; readonly high: number };
  /** Written behind the bar. */
  readonly note: string;
  /** Class of the bar's colour. */
  readonly style: string;
}

const WIDTH = 440;
const ROW = 17;
const NAMES = 178;
const NOTES = 62;
const LONGEST_NAME = 30;

export function classBars(bars: readonly ClassBar[], axis: Axis, description: string): Html {
  const top = 34;
  const bottom = top + bars.length * ROW;
  const scale = scaleOf(axis, [NAMES, WIDTH - NOTES]);
  const [origin = 0] = scale.range();
  const clamp = (value: number) => round(Math.max(origin, scale(value)));
  return html`<svg viewBox="0 0 ${WIDTH} ${bottom + 6}" style="max-width:${natural(WIDTH)}px" role="img" aria-label="${description}">
<text class="label" x="${WIDTH}" y="10" text-anchor="end">${axis.label}</text>
${ticksOf(axis, scale).map(
  ({ at, text }) =>
    html`<line class="grid" x1="${at}" x2="${at}" y1="${top - 5}" y2="${bottom}"/><text class="tick" x="${at}" y="${top - 9}" text-anchor="middle">${text}</text>`,
)}
${bars.map((bar, row) => {
  const y = top + row * ROW;
  const middle = y + ROW / 2;
  const finite = Number.isFinite(bar.value);
  const end = finite ? clamp(bar.value) : NAMES;
  const { low, high } = bar.interval ?? { low: Number.NaN, high: Number.NaN };
  const known = finite && Number.isFinite(low) && Number.isFinite(high);
  const beyond = Math.max(end, bar.tick === null ? end : clamp(bar.tick), known ? clamp(high) : end);
  return html`<g><title>${bar.name}: ${bar.note}</title><text class="name" x="${NAMES - 6}" y="${middle}" dy=".34em" text-anchor="end">${shorten(bar.name, LONGEST_NAME)}</text>
${finite && html`<rect class="bar ${bar.style}" x="${NAMES}" y="${y + 3}" width="${round(end - NAMES)}" height="${ROW - 6}"/>`}${
  finite &&
  bar.tick !== null &&
  html`<line class="guess" x1="${clamp(bar.tick)}" x2="${clamp(bar.tick)}" y1="${y + 1}" y2="${y + ROW - 1}"/>`
}${
  known &&
  html`<path class="whisker" d="M${clamp(low)} ${round(middle - 3)}v6M${clamp(low)} ${middle}H${clamp(high)}m0 -3v6"/>`
}<text class="value" x="${beyond + 5}" y="${middle}" dy=".34em">${bar.note}</text></g>`;
})}
<line class="axis" x1="${NAMES}" x2="${NAMES}" y1="${top - 5}" y2="${bottom}"/>
</svg>`;
}
