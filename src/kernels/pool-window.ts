import { ShapeError } from '../engine/errors.js';
import type { Shape } from '../engine/tensor.js';

/** Where the windows of a pooling lie: sizes, and the WGSL that walks them in either direction. */
export interface PoolOptions {
  /** Rows and columns of a window; one number for a square. */
  readonly kernel: number | readonly [number, number];
  /** Default: the kernel, so that windows touch and do not overlap. */
  readonly stride?: number | readonly [number, number];
  /** Rows added above and below, columns added left and right; at most half a window. */
  readonly padding?: number | readonly [number, number];
}

/** One axis: input size, output size, window, stride, padding. */
export interface PoolAxis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

export interface PoolWindow {
  readonly batch: number;
  readonly rows: PoolAxis;
  readonly columns: PoolAxis;
  readonly channels: number;
}

/** @throws ShapeError where no window fits */
export function poolWindow(op: string, shape: Shape, options: PoolOptions): PoolWindow {
  const [batch, height, width, channels] = shape;
  if (
    shape.length !== 4 ||
    batch === undefined ||
    height === undefined ||
    width === undefined ||
    channels === undefined
  ) {
    throw new ShapeError(`${op}: x must be [n, h, w, c], got [${shape}]`);
  }
  const axis = (input: number, k: 0 | 1): PoolAxis => {
    const kernel = pair(options.kernel)[k];
    const stride = pair(options.stride ?? options.kernel)[k];
    const padding = pair(options.padding ?? 0)[k];
    const output = Math.floor((input + 2 * padding - kernel) / stride) + 1;
    const whole = [kernel, stride, padding].every((value) => Number.isInteger(value));
    if (!whole || kernel < 1 || stride < 1 || padding < 0 || padding > kernel / 2 || output < 1) {
      throw new ShapeError(
        `${op}: kernel ${kernel}, stride ${stride}, padding ${padding} (at most half the kernel) do not fit ${input} of [${shape}]`,
      );
    }
    return { input, output, kernel, stride, padding };
  };
  return { batch, rows: axis(height, 0), columns: axis(width, 1), channels };
}

export function inputShape({ batch, rows, columns, channels }: PoolWindow): number[] {
  return [batch, rows.input, columns.input, channels];
}

export function outputShape({ batch, rows, columns, channels }: PoolWindow): number[] {
  return [batch, rows.output, columns.output, channels];
}

/** WGSL of half-open input range [`${name}First`, `${name}Last`) of the window at output coordinate `at`. */
export function windowOf(axis: PoolAxis, name: string, at: string): string {
  const { input, kernel, stride, padding } = axis;
  return `let ${name}First = max(${at} * ${stride}u, ${padding}u) - ${padding}u;
  let ${name}Last = min(${at} * ${stride}u + ${kernel}u - ${padding}u, ${input}u);`;
}

/** WGSL of the half-open range of output coordinates whose windows cover input coordinate `at`. */
export function windowsOver(axis: PoolAxis, name: string, at: string): string {
  const { output, kernel, stride, padding } = axis;
  // The first window is the lowest o with o·stride − padding + kernel > at.
  return `let ${name}First = (max(${at} + ${padding + stride}u, ${kernel}u) - ${kernel}u) / ${stride}u;
  let ${name}Last = min((${at} + ${padding}u) / ${stride}u + 1u, ${output}u);`;
}

function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}
