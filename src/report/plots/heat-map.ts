import { shorten } from '../../text/shorten.js';
import { type Html, html } from '../html.js';
import { natural, round } from './frame.js';

/** A table of shares as shades: which classes come with which others. */

export interface HeatMap {
  /** Of the columns, and of the rows where they have no names of their own. */
  readonly names: readonly string[];
  readonly rows?: readonly string[];
  /** Share in row `i`, column `j`, in [0, 1]; null draws no cell. */
  value(i: number, j: number): number | null;
  /** The text of a cell when it is pointed at. */
  title(i: number, j: number): string;
  readonly description: string;
}

/** Shares from which on a cell has its shade, the first being none. */
export const SHADES = [0, 0.01, 0.05, 0.15, 0.3, 0.5] as const;

const WIDTH = 560;
const NAMES = 132;
/** Right of the cells, where the slanted names of the last columns end. */
const MARGIN = 72;
/** Above this many classes, a cell has no room for its number. */
const NUMBERED = 18;
const LONGEST_NAME = 22;

/** Rows from top to bottom, columns under slanted names; numbers are percentages from 5 % on, where there is room. */
export function heatMap({ names, rows = names, value, title, description }: HeatMap): Html {
  const side = (WIDTH - NAMES - MARGIN) / Math.max(1, names.length);
  const top = 96;
  const height = top + side * rows.length + 4;
  const at = (i: number) => round(NAMES + i * side);
  const letters = round(Math.min(10.5, Math.max(5, side - 1)));
  const cells = rows.flatMap((_, i) => names.map((__, j) => cell(i, j)));
  function cell(i: number, j: number): Html | null {
    const share = value(i, j);
    if (share === null) return null;
    const shade = SHADES.filter((least) => share >= least).length - 1;
    const [x, y] = [at(j), round(top + i * side)];
    const number =
      names.length <= NUMBERED &&
      share >= 0.05 &&
      html`<text class="cell-value ${shade > 3 && 'light'}" x="${round(x + side / 2)}" y="${round(y + side / 2)}" dy=".34em" text-anchor="middle">${Math.round(100 * share)}</text>`;
    return html`<g><title>${title(i, j)}</title><rect class="cell s${shade}" x="${x}" y="${y}" width="${round(side - 0.7)}" height="${round(side - 0.7)}"/>${number}</g>`;
  }
  return html`<svg viewBox="0 0 ${WIDTH} ${round(height)}" style="max-width:${natural(WIDTH)}px" role="img" aria-label="${description}">
${rows.map((name, i) => html`<text x="${NAMES - 6}" y="${round(top + (i + 0.5) * side)}" dy=".34em" text-anchor="end" style="font-size:${letters}px">${shorten(name, LONGEST_NAME)}</text>`)}
${names.map((name, i) => {
  const column = round(NAMES + (i + 0.5) * side);
  return html`<text x="${column}" y="${top - 6}" style="font-size:${letters}px" transform="rotate(-48 ${column} ${top - 6})">${shorten(name, LONGEST_NAME)}</text>`;
})}
${cells}
</svg>`;
}

/** The meaning of the shades. */
export function heatMapLegend(): Html {
  const texts = SHADES.map((least, k) => {
    const next = SHADES[k + 1];
    if (next === undefined) return `${100 * least} % and more`;
    return k === 0 ? `below ${100 * next} %` : `${100 * least}–${100 * next} %`;
  });
  return html`<p class="legend">${texts.map((text, k) => html`<span class="shade s${k}">${text}</span> `)}</p>`;
}
