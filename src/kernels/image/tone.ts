import { COUNTER_HASH } from '../../engine/counter-hash.js';
import { applyOne, at, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { NORMAL } from '../common/normal.js';
import { byFirstAxis } from '../common/rows.js';
import { batchOf, rowOf } from './change-table.js';

/** Which of its changes the kernel has code for. */
interface ToneAttributes {
  readonly tone: boolean;
  readonly noise: boolean;
  readonly holes: boolean;
}

/** The changes of single pixels, in one pass: contrast and brightness, Gaussian noise, black rectangles. */
export function toneGrey(grey: Tensor, changes: Tensor, attributes: ToneAttributes): Tensor {
  return applyOne(toneOp, [grey, changes], attributes);
}

/** (grey, changes) → pictures with other values. */
const toneOp: Op<ToneAttributes> = {
  name: 'toneGrey',
  rows: (problem) => byFirstAxis(problem, [true, true]),
  infer: ([grey]) => [{ shape: grey?.shape ?? [], dtype: 'f32' }],
  flops: ({ outputs: [y], attributes: { noise } }) => (noise ? 45 : 5) * elementCount(y?.shape ?? []),
  variants: [
    {
      name: 'texels',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs, attributes: { tone, noise, holes } }, traits) {
        const { n, height, width } = batchOf(at(inputs, 0).shape);
        // Four neighbours lie in one row of a picture, so that all four have the same row of the table.
        const unit = width % 4 === 0 ? 4 : 1;
        const type = unit === 4 ? 'vec4f' : 'f32';
        const numbers = unit === 4 ? 'vec4u' : 'u32';
        const ahead = unit === 4 ? 'vec4u(0u, 1u, 2u, 3u)' : '0u';
        const texels = (height * width) / unit;
        const { whole, fraction, hole } = rowOf(at(at(inputs, 1).shape, 1), 'picture');
        const code = [
          tone &&
            `if (${whole('toned')} != 0u) {
    value = clamp(value * ${fraction('gain')} + ${fraction('offset')}, ${type}(), ${type}(1.0));
  }`,
          noise &&
            `let deviation = ${fraction('deviation')};
  if (deviation > 0.0) {
    value = clamp(value + deviation * normals(pixel, ${whole('keyA')}, ${whole('keyB')}), ${type}(), ${type}(1.0));
  }`,
          holes &&
            `let holes = ${whole('holes')};
  for (var k = 0u; k < holes; k++) {
    let corner = ${hole('k')};
    // A pixel above or left of the hole wraps around to a large number: one comparison tells both sides.
    if (pixel / ${width}u - changes[corner] < ${whole('holeHeight')}) {
      let inside = ${numbers}(pixel % ${width}u - changes[corner + 1u]) + ${ahead} < ${numbers}(${whole('holeWidth')});
      value = select(value, ${type}(), inside);
    }
  }`,
        ];
        const one = (k: number) => `normal(counterHash(pixel + ${k}u, a, b))`;
        const step = flatStep(
          {
            count: n * texels,
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type },
              { name: 'changes', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
            ],
            declarations: `${COUNTER_HASH}
${NORMAL}
fn normals(pixel: u32, a: u32, b: u32) -> ${type} {
  return ${unit === 4 ? `vec4f(${[0, 1, 2, 3].map(one).join(', ')})` : one(0)};
}
fn toned(i: u32) -> ${type} {
  let picture = i / ${texels}u;
  let pixel = i % ${texels}u * ${unit}u;
  var value = x[i];
  ${code.filter(Boolean).join('\n  ')}
  return value;
}`,
            body: 'y[id] = toned(id);',
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
