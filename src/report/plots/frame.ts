import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { type Content, type Html, html } from '../html.js';

/**
 * The frame that every plot shares: axes, grid lines and labels around a plotting area. Sizes are in CSS pixels at the
 * plot's natural width; colours and fonts come from the page's style sheet by class, so that one drawing serves light,
 * dark and paper.
 */

export type Scale = ScaleContinuousNumeric<number, number>;

export interface Axis {
  readonly scale: 'linear' | 'log';
  /** Of the data; a log axis needs low > 0. Widened to round numbers where `nice`. */
  readonly domain: readonly [low: number, high: number];
  readonly nice?: boolean;
  readonly label: string;
  /** About how many ticks; 5 when absent. */
  readonly ticks?: number;
  /** How a tick's value is written; plain numbers when absent. */
  readonly format?: (value: number) => string;
}

export interface FrameOptions {
  readonly width: number;
  readonly height: number;
  readonly x: Axis;
  readonly y: Axis;
  /** A description for readers who cannot see the picture. */
  readonly description: string;
  /** Space left of the plotting area, for tick labels; 40 when absent. */
  readonly left?: number;
}

/** The plotting area: where data coordinates are on the drawing. */
export interface Area {
  readonly x: Scale;
  readonly y: Scale;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Draws the axes, and within them the marks that `marks` returns for the area. */
export function frame(options: FrameOptions, marks: (area: Area) => Content): Html {
  const { width, height } = options;
  const [left, right, top, bottom] = [options.left ?? 40, width - 8, 22, height - 32];
  const x = scaleOf(options.x, [left, right]);
  const y = scaleOf(options.y, [bottom, top]);
  const area = { x, y, left, right, top, bottom };
  const xTicks = ticksOf(options.x, x);
  const yTicks = ticksOf(options.y, y);
  return html`<svg viewBox="0 0 ${width} ${height}" style="max-width:${natural(width)}px" role="img" aria-label="${options.description}">
${yTicks.map(
  ({ at, text }) =>
    html`<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text class="tick" x="${left - 5}" y="${at}" dy=".32em" text-anchor="end">${text}</text>`,
)}
${xTicks.map(
  ({ at, text }) =>
    html`<line class="tickmark" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/><text class="tick" x="${at}" y="${bottom + 15}" text-anchor="middle">${text}</text>`,
)}
<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
${marks(area)}
<text class="label" x="${round((left + right) / 2)}" y="${height - 4}" text-anchor="middle">${options.x.label}</text>
<text class="label" x="4" y="9">${options.y.label}</text>
</svg>`;
}

/** Coordinates with a tenth of a pixel: enough for the eye, and small files. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The widest that a drawing is shown: a little more than its natural width, so that letters stay letters. */
export function natural(width: number): number {
  return Math.round(width * 1.15);
}

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export function scaleOf({ scale, domain, nice }: Axis, range: readonly [number, number]): Scale {
  const made: Scale = scale === 'log' ? scaleLog(domain, range) : scaleLinear(domain, range);
  return nice ? made.nice() : made;
}

/** Round numbers along an axis; on a log axis over more than two decades, powers of ten only. */
export function ticksOf({ scale: kind, ticks = 5, format }: Axis, scale: Scale): Tick[] {
  const [low = 0, high = 1] = scale.domain();
  if (kind === 'log')
    return logTicks(low, high, ticks).map((value) => tick(scale, value, (format ?? shortest)(value)));
  const write = format ?? scale.tickFormat(ticks);
  return scale.ticks(ticks).map((value) => tick(scale, value, write(value)));
}

function logTicks(low: number, high: number, most: number): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const powers = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  if (powers.length > 2) {
    const step = Math.ceil(powers.length / most);
    return powers.filter((_, i) => i % step === 0).map(powerOfTen);
  }
  const steps = powers.length === 2 ? [1, 3] : [1, 2, 5];
  return Array.from({ length: last - first + 3 }, (_, i) => first - 1 + i)
    .flatMap((power) => steps.map((factor) => Number((factor * powerOfTen(power)).toPrecision(1))))
    .filter((value) => value >= low * 0.999 && value <= high * 1.001);
}

function powerOfTen(power: number): number {
  return Number(`1e${power}`);
}

function shortest(value: number): string {
  return value >= 1e-3 && value < 1e5 ? String(value) : value.toExponential(0).replace('e+', 'e');
}

function tick(scale: Scale, value: number, text: string): Tick {
  return { at: round(scale(value)), text };
}
