import { ShapeError } from '../../engine/errors.js';
import type { Shape } from '../../engine/graph/tensor.js';

/** Where the windows of a pooling lie: sizes, and the WGSL that walks them in either direction. */
export interface PoolOptions {
  /** Rows and columns of a window; one number for a square. */
  readonly kernel: number | readonly [number, number];
  /** Default: the kernel, so that windows touch and do not overlap. */
  readonly stride?: number | readonly [number, number];
  /** Rows added above and below, columns added left and right; at most half a window. */
  readonly padding?: number | readonly [number, number];
  /**
   * Whether pixels that are too few for a window at the end get one nevertheless, as far as it begins inside (PyTorch's
   * ceil_mode). Default: false.
   */
  readonly ceilMode?: boolean;
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
    const output = windowCount({ input, kernel, stride, padding }, options.ceilMode ?? false);
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

function windowCount({ input, kernel, stride, padding }: Omit<PoolAxis, 'output'>, ceil: boolean): number {
  const steps = (input + 2 * padding - kernel) / stride;
  if (!ceil) return Math.floor(steps) + 1;
  const count = Math.ceil(steps) + 1;
  return (count - 1) * stride < input + padding ? count : count - 1;
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

/**
 * WGSL of the number of pixels, padding included or not, that the window at output coordinates `row`, `column` averages
 * over. Beyond the padding, where windows of `ceilMode` reach, there is nothing to count.
 */
export function windowElementCount(
  { rows, columns }: PoolWindow,
  { row, column, countPadding }: { row: string; column: string; countPadding: boolean },
): string {
  const overhangs = [rows, columns].some(
    ({ input, output, kernel, stride, padding }) => (output - 1) * stride + kernel > input + 2 * padding,
  );
  if (countPadding && !overhangs) return `${rows.kernel * columns.kernel}.0`;
  const along = ({ input, kernel, stride, padding }: PoolAxis, at: string) =>
    countPadding
      ? `(min(${at} * ${stride}u + ${kernel}u, ${input + 2 * padding}u) - ${at} * ${stride}u)`
      : `(min(${at} * ${stride}u + ${kernel}u, ${input + padding}u) - max(${at} * ${stride}u, ${padding}u))`;
  return `f32(${along(rows, row)} * ${along(columns, column)})`;
}

function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}
