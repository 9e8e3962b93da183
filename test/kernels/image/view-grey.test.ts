import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import {
  type ViewPlaces,
  viewGrey,
  viewTable,
  viewTableShape,
} from '../../../src/kernels/image/view-grey.js';
import { evaluate } from '../../device.js';
import { expectClose } from '../check-op.js';

type PictureShape = readonly [n: number, height: number, width: number];

function pictures([n, height, width]: PictureShape): Float32Array {
  const random = new Random(1, 'view-grey');
  return Float32Array.from({ length: n * height * width }, () => random.uniform());
}

async function seen(grey: Float32Array, shape: PictureShape, places: ViewPlaces): Promise<Float32Array> {
  const [, height, width] = shape;
  const [result] = await evaluate(
    [
      { shape, values: grey },
      { shape: viewTableShape(height, width), values: viewTable(places) },
    ],
    ([pixels, view]) => [viewGrey(pixels!, view!)],
  );
  return result!;
}

/** Bilinear in float64, one pixel at a time: the axes are mirrored by walking along them. */
function reference(grey: Float32Array, [n, height, width]: PictureShape, { columns, rows }: ViewPlaces) {
  const inside = (index: number, length: number) => {
    let [at, step] = [0, Math.sign(index)];
    for (let k = 0; k < Math.abs(index); k++) {
      // the pixel at an edge stands beside its own mirror image
      if (at + step < 0 || at + step >= length) step = -step;
      else at += step;
    }
    return at;
  };
  return Float64Array.from({ length: n * height * width }, (_, i) => {
    const [column, row] = [columns[i % width]!, rows[Math.floor(i / width) % height]!];
    const [x, y] = [column.x + row.x - 0.5, column.y + row.y - 0.5];
    const picture = Math.floor(i / (height * width)) * height * width;
    let sum = 0;
    for (const [v, u] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      const [left, top] = [Math.floor(x) + u, Math.floor(y) + v];
      const share = (1 - Math.abs(x - left)) * (1 - Math.abs(y - top));
      sum += share * grey[picture + inside(top, height) * width + inside(left, width)]!;
    }
    return sum;
  });
}

describe('viewGrey', () => {
  test.each<PictureShape>([
    [3, 5, 7],
    [2, 8, 4],
  ])('%i × %i × %i by any affine map, over several mirror images on each side', async (...shape) => {
    const [, height, width] = shape;
    const grey = pictures(shape);
    const places = {
      columns: Array.from({ length: width }, (_, i) => ({ x: 4.3 * i - 11.7, y: 0.61 * i })),
      rows: Array.from({ length: height }, (_, j) => ({ x: -1.17 * j, y: -3.9 * j + 8.2 })),
    };
    expectClose(await seen(grey, shape, places), reference(grey, shape, places), 1e-6);
  });

  test('copies a pixel bit for bit where it is read at its middle', async () => {
    const shape = [2, 6, 5] as const;
    const grey = pictures(shape);
    const middles = (length: number) => Array.from({ length }, (_, i) => i + 0.5);
    const upsideDown = {
      columns: middles(5).map((x) => ({ x, y: 6 })),
      rows: middles(6).map((y) => ({ x: 0, y: -y })),
    };
    const expected = grey.map(
      (_, i) => grey[Math.floor(i / 30) * 30 + (5 - (Math.floor(i / 5) % 6)) * 5 + (i % 5)]!,
    );
    expect(await seen(grey, shape, upsideDown)).toEqual(expected);
  });

  test('a picture has the same view in any batch, whatever its size', async () => {
    const shape = [3, 5, 3] as const;
    const grey = pictures(shape);
    const places = {
      columns: [0.2, 1.1, 2.6].map((x) => ({ x, y: 0.1 * x })),
      rows: [0, 1, 2, 3, 4].map((j) => ({ x: 0.3, y: j + 0.7 })),
    };
    const together = await seen(grey, shape, places);
    const alone = await seen(grey.slice(15, 30), [1, 5, 3], places);
    expect(together.slice(15, 30)).toEqual(alone);
  });

  test('a table of other sizes is refused', () => {
    const graph = new Graph();
    const grey = graph.input('grey', [1, 4, 6]);
    expect(() => viewGrey(grey, graph.input('view', [9, 4]))).toThrow(ShapeError);
    expect(() => viewGrey(grey, graph.input('other', [10, 4], 'u32'))).toThrow(
      'viewGrey: needs pictures [n, h, w] f32 and a view [w + h, 4] f32, got [1, 4, 6] f32, [10, 4] u32',
    );
  });
});
