import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { DType } from '../../engine/graph/tensor.js';

/**
 * The operands of a convolution as the two matrices of one product: WGSL that finds their elements where they lie. They
 * are read in blocks of four by four, since four neighbours in memory are one load whichever way the matrix runs.
 *
 * "Outer" counts the rows of the left matrix or the columns of the right one, k the depth that is summed over. A lane
 * keeps its place along k as an odometer of three digits and moves it on, so that no element costs a division. The code
 * of an operand named `left` declares:
 *
 *     alias LeftOuter = …                                        // known of four outers, the same for every k
 *     fn leftOuter(first: u32) -> LeftOuter
 *     fn leftStart(k: u32) -> vec3u
 *     fn leftAdvance(at: vec3u, by: u32) -> vec3u
 *     fn leftBlock(outer: LeftOuter, at: vec3u) -> mat4x4f       // [i] is k + i of the four outers; 0 beyond an end
 *
 * Blocks hold f32 whatever the operand is stored as: nothing behind this converts. Loads beyond an end are turned into
 * loads of element 0 instead of being jumped over, so that all loads of a block are under way together.
 */
export interface TileOperand {
  readonly name: 'left' | 'right';
  readonly dtype: DType;
  /** Four neighbours in memory always exist together: the operand is bound as vectors. */
  readonly vector: boolean;
  /** Neighbours in memory are neighbours along k, not along the outer side. */
  readonly along: boolean;
  readonly code: string;
  readonly dims: Readonly<Record<string, number>>;
}

/**
 * A dense matrix of `outers` × `depth`, stored one outer after the other (`along`) or one k after the other. With `batch`
 * there are many of them, one behind the other, and each share of the depth (`dims.share`, a multiple of every slice)
 * belongs to the next one: k beyond a matrix's own depth `dims.inner` is 0.
 */
export function matrixOperand(
  name: TileOperand['name'],
  {
    dtype,
    outers,
    depth,
    along,
    batch = false,
  }: { dtype: DType; outers: number; depth: number; along: boolean; batch?: boolean },
): TileOperand {
  const vector = (along ? depth : outers) % 4 === 0;
  const Outer = name === 'left' ? 'LeftOuter' : 'RightOuter';
  const inner = batch ? 'dims.inner' : 'dims.depth';
  // where the matrix begins travels along as the second digit of the odometer
  const index = `matrix + ${along ? `outer * ${inner} + k` : `k * dims.${name}Outers + outer`}`;
  const exists = `outer < dims.${name}Outers && k < ${inner}`;
  const code = wgsl`
alias ${Outer} = u32;
fn ${name}Outer(first: u32) -> u32 { return first; }
fn ${name}Start(k: u32) -> vec3u {
#if ${batch}
  let number = k / dims.share;
  return vec3u(k - number * dims.share, number * dims.${name}Outers * dims.inner, 0u);
#else
  return vec3u(k, 0u, 0u);
#endif
}
fn ${name}Advance(at: vec3u, by: u32) -> vec3u { return vec3u(at.x + by, at.y, 0u); }
#if ${vector}
fn ${name}Run(outer: u32, k: u32, matrix: u32) -> vec4f {
  let exists = ${exists};
  return select(vec4f(), vec4f(${name}[select(0u, (${index}) / 4u, exists)]), exists);
}
#else
fn ${name}Element(outer: u32, k: u32, matrix: u32) -> f32 {
  let exists = ${exists};
  return select(0.0, f32(${name}[select(0u, ${index}, exists)]), exists);
}
fn ${name}Run(outer: u32, k: u32, matrix: u32) -> vec4f {
#if ${along}
  return vec4f(${four((j) => `${name}Element(outer, k + ${j}u, matrix)`)});
#else
  return vec4f(${four((j) => `${name}Element(outer + ${j}u, k, matrix)`)});
#endif
}
#endif
fn ${name}Block(outer: u32, at: vec3u) -> mat4x4f {
#if ${along}
  return transpose(mat4x4f(${four((j) => `${name}Run(outer + ${j}u, at.x, at.y)`)}));
#else
  return mat4x4f(${four((j) => `${name}Run(outer, at.x + ${j}u, at.y)`)});
#endif
}`;
  const dims = { [`${name}Outers`]: outers, ...(batch && { inner: depth }) };
  return { name, dtype, vector, along, code, dims };
}

/** The arguments of a call, from 0 to 3. */
export function four(argument: (j: number) => string): string {
  return [0, 1, 2, 3].map(argument).join(', ');
}
