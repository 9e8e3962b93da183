import { applyOne, at, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { batchOf, rowOf } from './change-table.js';

/**
 * Mirror, then shift, scale and rotation about the centre, bilinear, black from outside, as one resampling.
 *
 * The table says how far from its own place a pixel's value lies, not where: the whole part of that is added to the
 * pixel's number as an integer, and the rest, which weighs the neighbours, keeps its f32 digits in large pictures.
 */
export function moveGrey(grey: Tensor, changes: Tensor): Tensor {
  return applyOne(moveOp, [grey, changes], {});
}

/** (grey, changes) → moved pictures. */
const moveOp: Op<Record<string, never>> = {
  name: 'moveGrey',
  infer: ([grey]) => [{ shape: grey?.shape ?? [], dtype: 'f32' }],
  flops: ({ outputs: [y] }) => 25 * elementCount(y?.shape ?? []),
  variants: [
    {
      name: 'stream',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs }, traits) {
        const { n, height, width } = batchOf(at(inputs, 0).shape);
        const unit = width % 4 === 0 ? 4 : 1;
        const type = unit === 4 ? 'vec4f' : 'f32';
        const texels = width / unit;
        const { whole, fraction } = rowOf(at(at(inputs, 1).shape, 1), 'picture');
        const each = (of: (column: string) => string) =>
          unit === 4 ? `vec4f(${[0, 1, 2, 3].map((k) => of(`column + ${k}`)).join(', ')})` : of('column');
        const step = streamStep(
          {
            count: n * height * texels,
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
              { name: 'changes', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
            ],
            declarations: `
fn pixel(picture: u32, row: i32, column: i32, flipped: bool) -> f32 {
  if (row < 0 || row >= ${height} || column < 0 || column >= ${width}) { return 0.0; }
  let own = select(column, ${width - 1} - column, flipped);
  return x[(picture * ${height}u + u32(row)) * ${width}u + u32(own)];
}
fn sampled(picture: u32, row: i32, column: i32, flipped: bool) -> f32 {
  let dx = f32(column) - ${(width - 1) / 2};
  let dy = f32(row) - ${(height - 1) / 2};
  let right = ${fraction('xx')} * dx + ${fraction('xy')} * dy + ${fraction('x0')};
  let down = ${fraction('yx')} * dx + ${fraction('yy')} * dy + ${fraction('y0')};
  let left = column + i32(floor(right));
  let top = row + i32(floor(down));
  let fx = right - floor(right);
  let fy = down - floor(down);
  let above = pixel(picture, top, left, flipped) * (1.0 - fx) + pixel(picture, top, left + 1, flipped) * fx;
  let below = pixel(picture, top + 1, left, flipped) * (1.0 - fx) + pixel(picture, top + 1, left + 1, flipped) * fx;
  return clamp(above * (1.0 - fy) + below * fy, 0.0, 1.0);
}
fn moved(i: u32) -> ${type} {
  let picture = i / ${height * texels}u;
  let row = i32(i / ${texels}u % ${height}u);
  let column = i32(i % ${texels}u) * ${unit};
  let flipped = ${whole('flip')} != 0u;
  if (${whole('moved')} != 0u) { return ${each((column) => `sampled(picture, row, ${column}, flipped)`)}; }
  return ${each((column) => `pixel(picture, row, ${column}, flipped)`)};
}`,
            each: 'y[i] = moved(i);',
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
