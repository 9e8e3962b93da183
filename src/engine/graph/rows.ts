import { byteLength, type RowRange, type Shape, type TensorSpec } from './tensor.js';

/** Rows of tensors, see `RowRange`. */

/** The axis whose entries are a tensor's rows; undefined where it is a single row. */
export function rowAxis(shape: Shape): number | undefined {
  const axis = shape.findIndex((size) => size > 1);
  return axis < 0 ? undefined : axis;
}

export function rowCount(shape: Shape): number {
  return shape.find((size) => size > 1) ?? 1;
}

/** So many of `count` as the range has of its parts; a whole number where `count` is a multiple of the parts. */
export function share(count: number, { from, to, of }: RowRange): number {
  return (count / of) * (to - from);
}

/** The shape of a range of a tensor's rows. */
export function rowsShape(shape: Shape, range: RowRange): Shape {
  const axis = rowAxis(shape);
  return shape.map((size, d) => (d === axis ? share(size, range) : size));
}

/** Where a range of rows lies in a tensor's bytes. */
export function rowsPart(spec: TensorSpec, range: RowRange): { offset: number; bytes: number } {
  const bytes = byteLength(spec);
  return { offset: (bytes / range.of) * range.from, bytes: share(bytes, range) };
}
