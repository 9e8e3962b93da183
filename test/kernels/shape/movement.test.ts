import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { elementCount, Graph, type Shape } from '../../../src/engine/graph/tensor.js';
import { concat, pad, permute, slice, transpose } from '../../../src/kernels/shape/movement.js';
import { evaluate } from '../../device.js';
import { checkOp } from '../check-op.js';

/** Sizes that mix odd with multiples of four, so that scalar, vec4 and block copies all occur. */
const size = fc.constantFrom(1, 2, 3, 4, 5, 8);
const shapes = fc.array(size, { minLength: 1, maxLength: 4 });

/** Builds an array of `shape` from a function of the coordinates. */
function fromCoordinates(shape: Shape, value: (c: number[]) => number): Float64Array {
  return Float64Array.from({ length: elementCount(shape) }, (_, i) => {
    let rest = i;
    const c = shape
      .toReversed()
      .map((extent) => {
        const coordinate = rest % extent;
        rest = Math.floor(rest / extent);
        return coordinate;
      })
      .reverse();
    return value(c);
  });
}

function read(x: Float64Array, shape: Shape, c: readonly number[]): number {
  return x[c.reduce((index, coordinate, d) => index * shape[d]! + coordinate, 0)]!;
}

function permuteReference(shape: Shape, axes: readonly number[]): (inputs: Float64Array[]) => Float64Array {
  return ([x]) =>
    fromCoordinates(
      axes.map((axis) => shape[axis]!),
      (c) =>
        read(
          x!,
          shape,
          shape.map((_, d) => c[axes.indexOf(d)]!),
        ),
    );
}

describe('movement', () => {
  test('permute moves every element, and its gradient back', async () => {
    const cases = shapes.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.shuffledSubarray(
          shape.map((_, d) => d),
          { minLength: shape.length },
        ),
      ),
    );
    await fc.assert(
      fc.asyncProperty(cases, ([shape, axes]) =>
        checkOp({
          shapes: [shape],
          build: ([x]) => permute(x!, axes),
          reference: permuteReference(shape, axes),
          tolerance: 1e-6,
        }),
      ),
      { numRuns: 10 },
    );
  });

  test('permute in blocks of 4×4, with axes before, between and after', async () => {
    for (const [shape, axes] of [
      [
        [8, 12],
        [1, 0],
      ],
      [
        [2, 6, 4, 8],
        [0, 3, 1, 2],
      ],
      [
        [3, 4, 2, 16],
        [2, 0, 3, 1],
      ],
    ] as const) {
      await checkOp({
        shapes: [shape],
        build: ([x]) => permute(x!, axes),
        reference: permuteReference(shape, axes),
        tolerance: 1e-6,
      });
    }
  });

  test('transpose exchanges the last two axes', async () => {
    await checkOp({
      shapes: [[2, 5, 4]],
      build: ([x]) => transpose(x!),
      reference: permuteReference([2, 5, 4], [0, 2, 1]),
      tolerance: 1e-6,
    });
  });

  test('u32 values are moved unchanged', async () => {
    const values = Uint32Array.from({ length: 24 }, (_, i) => 0xfffffff0 + (i % 16));
    const [moved] = await evaluate([{ shape: [4, 6], values }], ([x]) => [transpose(x!)]);
    const bits = new Uint32Array(moved!.buffer);
    expect([...bits]).toEqual(Array.from({ length: 24 }, (_, i) => values[(i % 4) * 6 + Math.floor(i / 4)]));
  });

  test('concat puts its operands one behind the other along any axis', async () => {
    const cases = shapes.chain((shape) =>
      fc.tuple(fc.constant(shape), fc.nat(shape.length - 1), fc.array(size, { minLength: 1, maxLength: 10 })),
    );
    await fc.assert(
      fc.asyncProperty(cases, ([shape, axis, lengths]) => {
        const parts = lengths.map((length) => shape.map((extent, d) => (d === axis ? length : extent)));
        const total = lengths.reduce((a, b) => a + b, 0);
        return checkOp({
          shapes: parts,
          build: ([first, ...rest]) => concat([first!, ...rest], axis),
          reference: (inputs) =>
            fromCoordinates(
              shape.map((extent, d) => (d === axis ? total : extent)),
              (c) => {
                let part = 0;
                let at = c[axis]!;
                while (at >= lengths[part]!) at -= lengths[part++]!;
                return read(
                  inputs[part]!,
                  parts[part]!,
                  c.map((coordinate, d) => (d === axis ? at : coordinate)),
                );
              },
            ),
          tolerance: 1e-6,
        });
      }),
      { numRuns: 6 },
    );
  });

  const boxes = fc
    .array(fc.tuple(size, fc.constantFrom(0, 1, 3, 4), fc.constantFrom(0, 2, 4)), {
      minLength: 1,
      maxLength: 4,
    })
    .map((axes) => ({
      inner: axes.map(([inner]) => inner),
      before: axes.map(([, before]) => before),
      after: axes.map(([, , after]) => after),
      outer: axes.map(([inner, before, after]) => before + inner + after),
    }));

  test('slice cuts a box out', async () => {
    await fc.assert(
      fc.asyncProperty(boxes, ({ inner, before, outer }) =>
        checkOp({
          shapes: [outer],
          build: ([x]) => slice(x!, before, inner),
          reference: ([x]) =>
            fromCoordinates(inner, (c) =>
              read(
                x!,
                outer,
                c.map((coordinate, d) => coordinate + before[d]!),
              ),
            ),
          tolerance: 1e-6,
        }),
      ),
      { numRuns: 8 },
    );
  });

  test('pad surrounds with a value', async () => {
    await fc.assert(
      fc.asyncProperty(boxes, fc.constantFrom(0, -1.5), ({ inner, before, after, outer }, value) =>
        checkOp({
          shapes: [inner],
          build: ([x]) => pad(x!, before, after, value),
          reference: ([x]) =>
            fromCoordinates(outer, (c) => {
              const source = c.map((coordinate, d) => coordinate - before[d]!);
              const inside = source.every((coordinate, d) => coordinate >= 0 && coordinate < inner[d]!);
              return inside ? read(x!, inner, source) : value;
            }),
          tolerance: 1e-6,
        }),
      ),
      { numRuns: 8 },
    );
  });

  test('what does not fit is refused while tracing', () => {
    const graph = new Graph();
    const x = graph.input('x', [2, 3]);
    expect(() => permute(x, [0, 0])).toThrow(ShapeError);
    expect(() => permute(x, [0])).toThrow(ShapeError);
    expect(() => concat([x, graph.input('y', [3, 3])], 1)).toThrow(ShapeError);
    expect(() => concat([x, graph.input('u', [2, 3], 'u32')], 1)).toThrow(ShapeError);
    expect(() => slice(x, [1, 1], [2, 2])).toThrow(/does not lie in/);
    expect(() => pad(x, [-1, 0], [0, 0])).toThrow(ShapeError);
    expect(() => transpose(graph.input('v', [3]))).toThrow(ShapeError);
  });
});
