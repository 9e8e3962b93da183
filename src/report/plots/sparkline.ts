import { line } from 'd3-shape';
import { type Html, html } from '../html.js';
import { round, scaleOf } from './frame.js';
import { dotMark, type Point } from './marks.js';
import { binned } from './thin.js';

/** A small curve for a cell of a table: without axes, so several beside each other share their scales. */

export interface Sparkline {
  readonly points: readonly Point[];
  readonly x: readonly [low: number, high: number];
  readonly y: readonly [low: number, high: number];
  /** A point to mark, such as the best epoch. */
  readonly marked: Point | null;
  /** Class of the curve. */
  readonly style: string;
  readonly description: string;
}

const [WIDTH, HEIGHT, MARGIN] = [104, 26, 3];
const MOST_POINTS = 52;

export function sparkline({ points, x, y, marked, style, description }: Sparkline): Html {
  const across = scaleOf({ scale: 'linear', domain: x, label: '' }, [MARGIN, WIDTH - MARGIN]);
  const up = scaleOf({ scale: 'linear', domain: y, label: '' }, [HEIGHT - MARGIN, MARGIN]);
  const area = { x: across, y: up, left: 0, right: WIDTH, top: 0, bottom: HEIGHT };
  const drawn = binned(points, MOST_POINTS).map((bin): Point => [bin.x, bin.y]);
  const path = line<Point>(
    (point) => across(point[0]),
    (point) => up(point[1]),
  ).digits(1)(drawn);
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${description}"><line class="grid" x1="0" x2="${WIDTH}" y1="${round(up(y[0]))}" y2="${round(up(y[0]))}"/>${
    drawn.length > 1 && html`<path class="line series ${style}" d="${path}"/>`
  }${(marked ?? drawn.length === 1) && dotMark(area, marked ?? drawn[0] ?? [0, 0], 'series', 2.2)}</svg>`;
}
