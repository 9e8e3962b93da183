import { applyOne, at, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';
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
  rows: (problem) => byFirstAxis(problem, [true, true]),
  infer: ([grey]) => [{ shape: grey?.shape ?? [], dtype: 'f32' }],
  flops: ({ outputs: [y] }) => 25 * elementCount(y?.shape ?? []),
  variants: [
    {
      name: 'texels',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs }, traits) {
        const { n, height, width } = batchOf(at(inputs, 0).shape);
        const unit = width % 4 === 0 ? 4 : 1;
        const type = unit === 4 ? 'vec4f' : 'f32';
        const texels = width / unit;
        const signed = unit === 4 ? 'vec4i' : 'i32';
        const { whole, fraction } = rowOf(at(at(inputs, 1).shape, 1), 'picture');
        const each = (of: (part: string) => string) =>
          unit === 4 ? `vec4f(${['.x', '.y', '.z', '.w'].map(of).join(', ')})` : of('');
        const neighbour = (name: string, down: string, right: string) =>
          `let ${name} = ${each((part) => `pixel(picture, top${part}${down}, left${part}${right}, flipped)`)};`;
        const step = flatStep(
          {
            count: n * height * texels,
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
              { name: 'texels', operand: { kind: 'input', index: 0 }, access: 'read', type },
              { name: 'changes', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
            ],
            declarations: `
fn pixel(picture: u32, row: i32, column: i32, flipped: bool) -> f32 {
  // A place before the first wraps around to a large number: one comparison tells both sides.
  let inside = u32(row) < ${height}u && u32(column) < ${width}u;
  let own = min(u32(select(column, ${width - 1} - column, flipped)), ${width - 1}u);
  return select(0.0, x[(picture * ${height}u + min(u32(row), ${height - 1}u)) * ${width}u + own], inside);
}
fn sampled(picture: u32, row: i32, column: ${signed}, flipped: bool) -> ${type} {
  let dx = ${type}(column) - ${(width - 1) / 2};
  let dy = f32(row) - ${(height - 1) / 2};
  let right = ${fraction('xx')} * dx + (${fraction('xy')} * dy + ${fraction('x0')});
  let down = ${fraction('yx')} * dx + (${fraction('yy')} * dy + ${fraction('y0')});
  let left = column + ${signed}(floor(right));
  let top = row + ${signed}(floor(down));
  let fx = right - floor(right);
  let fy = down - floor(down);
  ${neighbour('a', '', '')}
  ${neighbour('b', '', ' + 1')}
  ${neighbour('c', ' + 1', '')}
  ${neighbour('d', ' + 1', ' + 1')}
  let mixed = (a * (1.0 - fx) + b * fx) * (1.0 - fy) + (c * (1.0 - fx) + d * fx) * fy;
  return clamp(mixed, ${type}(), ${type}(1.0));
}
fn moved(i: u32) -> ${type} {
  let picture = i / ${height * texels}u;
  let row = i / ${texels}u;
  let texel = i % ${texels}u;
  let flipped = ${whole('flip')} != 0u;
  if (${whole('moved')} != 0u) {
    let column = i32(texel) * ${unit} + ${unit === 4 ? 'vec4i(0, 1, 2, 3)' : '0'};
    return sampled(picture, i32(row % ${height}u), column, flipped);
  }
  if (flipped) { return texels[row * ${texels}u + ${texels - 1}u - texel]${unit === 4 ? '.wzyx' : ''}; }
  return texels[i];
}`,
            body: 'y[id] = moved(id);',
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
