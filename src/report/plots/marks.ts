import { area, curveStepAfter, line } from 'd3-shape';
import { type Html, html } from '../html.js';
import { type Area, round } from './frame.js';

/** Marks inside a frame: lines, bands, points, reference lines. CSS classes decide the colours. */

export type Point = readonly [x: number, y: number];

/** A line through the points; one that isn't finite breaks it. */
export function lineMark(
  { x, y }: Area,
  points: readonly Point[],
  style: string,
  { steps = false, title }: { steps?: boolean; title?: string } = {},
): Html {
  const path = line<Point>()
    .defined((point) => point.every(Number.isFinite))
    .x((point) => x(point[0]))
    .y((point) => y(point[1]))
    .digits(1);
  const drawn = (steps ? path.curve(curveStepAfter) : path)(points) ?? '';
  return html`<path class="line ${style}" d="${drawn}">${title !== undefined && html`<title>${title}</title>`}</path>`;
}

/** A filled band from low to high over x. */
export function bandMark(
  { x, y }: Area,
  points: readonly { x: number; low: number; high: number }[],
  style: string,
): Html {
  const path = area<(typeof points)[number]>()
    .x((point) => x(point.x))
    .y0((point) => y(point.low))
    .y1((point) => y(point.high))
    .digits(1);
  return html`<path class="band ${style}" d="${path(points) ?? ''}"/>`;
}

/** @param radius in pixels */
export function dotMark({ x, y }: Area, [px, py]: Point, style: string, radius = 2.5, title?: string): Html {
  return html`<circle class="dot ${style}" cx="${round(x(px))}" cy="${round(y(py))}" r="${round(radius)}">${
    title !== undefined && html`<title>${title}</title>`
  }</circle>`;
}

/** A dashed line across the area at a height of the data, such as chance or a guess. */
export function referenceMark({ y, left, right }: Area, value: number, label: string): Html {
  const at = round(y(value));
  return html`<line class="reference" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text class="note" x="${right}" y="${at - 3}" text-anchor="end">${label}</text>`;
}

/** A dashed line up at a place of the data, such as the best epoch. */
export function uprightMark({ x, top, bottom, left, right }: Area, value: number, label: string): Html {
  const at = round(x(value));
  const leftHalf = at < (left + right) / 2;
  return html`<line class="upright" x1="${at}" x2="${at}" y1="${top}" y2="${bottom}"/><text class="note" x="${at + (leftHalf ? 3 : -3)}" y="${top + 8}" text-anchor="${leftHalf ? 'start' : 'end'}">${label}</text>`;
}

/** A reference line over a part of the area only, from one place of the data to another. */
export function partReferenceMark(
  { x, y }: Area,
  [from, to]: readonly [number, number],
  value: number,
): Html {
  const at = round(y(value));
  return html`<line class="reference" x1="${round(x(from))}" x2="${round(x(to))}" y1="${at}" y2="${at}"/>`;
}

/** A line up where one stretch of the data ends and another begins. */
export function borderMark({ x, top, bottom }: Area, value: number): Html {
  const at = round(x(value));
  return html`<line class="border" x1="${at}" x2="${at}" y1="${top}" y2="${bottom}"/>`;
}

/** The diagonal from corner to corner: chance in an ROC plot, perfect calibration in a reliability diagram. */
export function diagonalMark({ left, right, top, bottom }: Area): Html {
  return html`<line class="reference" x1="${left}" x2="${right}" y1="${bottom}" y2="${top}"/>`;
}
