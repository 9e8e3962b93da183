import type { MatrixCode, MatrixGrid } from '../../../src/kernels/product/matrix-code.js';

/**
 * Small matrices by ordinary loops, for devices without matrix units: the rest of the kernel is the same. A "subgroup" is a
 * run of lanes of the workgroup; each lane holds every so-manieth four of the sums. One copy of each loop, whose bounds are
 * no constants: a software adapter's compiler takes a second for it, and a minute for all of them written out.
 */
export function emulatedMatrices(grid: MatrixGrid): MatrixCode {
  const { matrix, down, across, steps, pitch, together, putPitch, quadFloats } = grid;
  const { m, n, k, operands, subgroups } = matrix;
  const [width] = subgroups;
  const fours = (m * n) / 4;
  const each = Math.ceil(fours / width);
  const half = operands === 'f16';
  const limit = (number: number) => `min(${number}u, dims.elements)`;
  return {
    enables: half ? ['f16'] : [],
    attributes: '',
    parameters: '',
    begin: `  let subgroup = index / ${width}u;
  let lane = index % ${width}u;`,
    declarations: `
/** Of all small matrices, one after the other. */
var<private> held: array<vec4f, ${down * across * each}>;
fn quadAt(place: u32) -> vec4f {
  let quad = staged[place];
  return ${half ? 'vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y))' : 'bitcast<vec4f>(quad)'};
}
fn multiply(leftPlace: u32, rightPlace: u32, lane: u32) {
  for (var i = 0u; i < ${limit(down * across * each)}; i++) {
    let number = i / ${each}u;
    let four = i % ${each}u * ${width}u + lane;
    if (four >= ${fours}u) { continue; }
    let left = leftPlace + (number / ${across}u * ${m}u + four / ${n / 4}u) * ${pitch}u;
    let right = rightPlace + (number % ${across}u * ${n}u + four % ${n / 4}u * 4u) * ${pitch}u;
    for (var q = 0u; q < ${limit((steps * k) / 4)}; q++) {
      let a = quadAt(left + q);
      held[i] += vec4f(${[0, 1, 2, 3].map((j) => `dot(a, quadAt(right + ${j * pitch}u + q))`).join(', ')});
    }
  }
}
fn put(place: u32, turn: u32, lane: u32) {
  for (var i = 0u; i < ${limit(together * each)}; i++) {
    let four = i % ${each}u * ${width}u + lane;
    if (four >= ${fours}u) { continue; }
    let bits = bitcast<vec4u>(held[turn * ${together * each}u + i]);
    let column = i / ${each}u * ${n / quadFloats}u + four % ${n / 4}u * ${4 / quadFloats}u;
    let at = place + four / ${n / 4}u * ${putPitch}u + column;
    ${half ? 'staged[at] = bits.xy;\n    staged[at + 1u] = bits.zw;' : 'staged[at] = bits;'}
  }
}`,
    multiply: '    multiply(leftPlace, rightPlace, lane);',
    put: '    put(sums, turn, lane);',
  };
}
