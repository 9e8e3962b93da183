import { ShapeError } from '../../engine/errors.js';
import {
  applyOne,
  at,
  describe,
  elementCount,
  type Op,
  type Shape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';

/**
 * Pictures seen otherwise: mirrored, turned, larger or smaller. Each pixel is read at a place of its picture, bilinear; beyond
 * its outer edges a picture goes on as its mirror image. The places come in a table that is an input, so one program shows
 * every view.
 */

/** A place in a picture, in pixels from its upper left corner: the first pixel's middle is (0.5, 0.5). */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/**
 * A view of pictures of one size. Pixel (i, j) is read at `columns[i] + rows[j]`, which says every affine map: a turned
 * column moves in both directions.
 */
export interface ViewPlaces {
  readonly columns: readonly Place[];
  readonly rows: readonly Place[];
}

/**
 * The view as `viewGrey` reads it: [columns + rows, 4] of x and y. Whole pixels and the rest lie apart, so that places are as
 * exact at the far end of a large picture as at its beginning.
 */
export function viewTable({ columns, rows }: ViewPlaces): Float32Array<ArrayBuffer> {
  const parts = (value: number) => [Math.floor(value), value - Math.floor(value)];
  return Float32Array.from([...columns, ...rows].flatMap(({ x, y }) => [...parts(x), ...parts(y)]));
}

/** The shape of a view's table for pictures of a size. */
export function viewTableShape(height: number, width: number): Shape {
  return [width + height, 4];
}

/**
 * All pictures of a batch seen through one view. Where each place is a pixel's middle, that pixel is copied bit for bit.
 * @param grey [n, h, w] @param view the values of `viewTable`, of shape `viewTableShape(h, w)` @returns [n, h, w]
 */
export function viewGrey(grey: Tensor, view: Tensor): Tensor {
  return applyOne(viewGreyOp, [grey, view], undefined);
}

const viewGreyOp: Op<undefined> = {
  name: 'viewGrey',
  rows: (problem) => byFirstAxis(problem, [true, false]),

  infer([grey, view]) {
    const [, height = 0, width = 0] = grey?.shape ?? [];
    const fits =
      grey?.dtype === 'f32' &&
      grey.shape.length === 3 &&
      view?.dtype === 'f32' &&
      view.shape.join() === viewTableShape(height, width).join();
    if (!fits) {
      throw new ShapeError(
        `viewGrey: needs pictures [n, h, w] f32 and a view [w + h, 4] f32, got ${grey && describe(grey)}, ` +
          `${view && describe(view)}`,
      );
    }
    return [{ shape: grey.shape, dtype: 'f32' }];
  },

  flops: ({ outputs: [seen] }) => 20 * elementCount(seen?.shape ?? []),

  variants: [
    {
      name: 'pixels',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [grey] }, traits) {
        const shape = grey?.shape ?? [];
        const [height, width] = [at(shape, 1), at(shape, 2)];
        const step = flatStep(
          {
            count: elementCount(shape),
            bindings: [
              { name: 'grey', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
              { name: 'view', operand: { kind: 'input', index: 1 }, access: 'read', type: 'vec4f' },
              { name: 'seen', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
            ],
            declarations: TAPS,
            body: `let row = id / ${width}u;
  let places = view[id % ${width}u] + view[${width}u + row % ${height}u];
  let x = taps(places.x, places.y, ${width});
  let y = taps(places.z, places.w, ${height});
  let picture = row / ${height}u * ${height * width}u;
  let upper = picture + y.first * ${width}u;
  let lower = picture + y.second * ${width}u;
  let above = grey[upper + x.first] + x.share * (grey[upper + x.second] - grey[upper + x.first]);
  let below = grey[lower + x.first] + x.share * (grey[lower + x.second] - grey[lower + x.first]);
  seen[id] = above + y.share * (below - above);`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

/**
 * The two pixels of an axis that are mixed at a place, and the second one's share. A mirror stands at each outer edge: after
 * an odd number of lengths the axis runs backwards. Within half a pixel of an edge both are the pixel at the edge.
 */
const TAPS = `struct Taps { first: u32, second: u32, share: f32 }

fn taps(whole: f32, part: f32, length: i32) -> Taps {
  var pixel = i32(whole) + i32(floor(part));
  var rest = part - floor(part);
  if (pixel < 0) { pixel = -1 - pixel; rest = 1.0 - rest; }
  let lengths = pixel / length;
  pixel -= lengths * length;
  if (lengths % 2 == 1) { pixel = length - 1 - pixel; rest = 1.0 - rest; }
  let behind = rest >= 0.5;
  let first = select(pixel - 1, pixel, behind);
  return Taps(u32(max(first, 0)), u32(min(first + 1, length - 1)), select(rest + 0.5, rest - 0.5, behind));
}
`;
