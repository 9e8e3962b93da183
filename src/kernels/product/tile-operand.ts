import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { Binding, DType } from '../../engine/graph/tensor.js';

/**
 * The operands of a convolution as the two matrices of one product: WGSL that finds their elements where they lie. They
 * are read in blocks of four by four, since four neighbours in memory are one load whichever way the matrix runs.
 *
 * "Outer" counts the rows of the left matrix or the columns of the right one, k the depth that is summed over. A lane
 * keeps its place along k as an odometer of three digits and moves it on, so that no element costs a division. Wherever
 * it can, the place is that of a slice, the same for all lanes, which a GPU then computes once for all; the block of a lane
 * begins `deep` behind it. The code of an operand named `left` declares:
 *
 *     alias LeftOuter = …                                        // known of four outers, the same for every slice
 *     fn leftOuter(first: u32, deep: u32) -> LeftOuter
 *     fn leftStart(k: u32, deep: u32) -> vec3u                   // of the slice that begins at k, a multiple of a slice
 *     fn leftAdvance(at: vec3u, by: u32) -> vec3u
 *     fn leftLoad(outer: LeftOuter, at: vec3u, on: bool) -> LeftRuns // four runs of four elements, as they are stored
 *     fn leftBlock(runs: LeftRuns) -> mat4x4f                    // [i] is k + deep + i of the four outers; 0 beyond an end
 *
 * Loading and the making of a block are two functions, since the first use of a loaded value waits for memory: a kernel
 * computes in between. Blocks hold f32 whatever the operand is stored as: nothing behind this converts. Loads beyond an
 * end, and where not `on`, are turned into loads of element 0 instead of being jumped over, so that all loads of a block
 * are under way together.
 *
 * Sizes that differ between the parts of a product (TilePart) are read from the variable `part`, the others from `dims`.
 */
export interface TileOperand {
  readonly name: 'left' | 'right';
  readonly dtype: DType;
  /** Four neighbours in memory always exist together: the operand is bound as vectors. */
  readonly vector: boolean;
  /** Neighbours in memory are neighbours along k, not along the outer side. */
  readonly along: boolean;
  readonly code: string;
  /** The same places as a walk through memory. */
  readonly walk: Walk;
  readonly dims: Readonly<Record<string, number>>;
}

/**
 * An operand's places in another form, for kernels that go through memory step by step and have no time for products and
 * quotients on the way (matrix-walk.ts): an element lies where its outer's offset and k's offset add up. The numbers are WGSL
 * expressions of sizes.
 */
export interface Walk {
  /** Length of a row in memory: where this is a multiple of a number, runs of as many neighbours are whole. */
  readonly run: number;
  /** The count of the first digit. */
  readonly inner: number;
  /** Offset of an outer, and whether it exists; `outer` is its number. Undefined where `spot` says both. */
  readonly outer?: { readonly offset: string; readonly exists: string };
  /** WGSL `fn NAMESpot(outer: u32) -> Spot` where it depends on the position in an image whether an element exists. */
  readonly spot?: string;
  /** Digits of k, the fastest first: one, or three. */
  readonly digits: readonly Digit[];
  /** Offset of k = 0. */
  readonly base: string;
  /** k is counted from the beginning of one of several matrices, each as deep as a share and this far from the next. */
  readonly matrix?: string;
}

export interface Digit {
  /** Where the next digit moves on; of the last one, where k ends. */
  readonly count: string;
  /** Offset from one to the next. */
  readonly stride: string;
  /** The axis of the image along which it moves, and how far, where the operand has spots. */
  readonly axis?: 'x' | 'y';
  readonly unit?: string;
}

/** The element type of an operand's binding. */
export function boundType({ vector, dtype }: Pick<TileOperand, 'vector' | 'dtype'>): Binding['type'] {
  if (!vector) return dtype;
  return dtype === 'f16' ? 'vec4h' : 'vec4f';
}

/**
 * WGSL types for the runs of both operands: a run holds four elements and says which of them exist. Operands that are
 * bound alike have runs of one type, so that one variable can hold the runs of either.
 */
export function runTypes(left: TileOperand, right: TileOperand): string {
  const types = new Map([left, right].map((operand) => [runType(operand), operand]));
  const declared = [...types].map(
    ([name, { dtype, vector }]) =>
      `struct ${name} { values: ${dtype === 'f16' ? 'vec4h' : 'vec4f'}, exist: ${vector ? 'bool' : 'vec4<bool>'} }
fn valuesOf${name}(run: ${name}) -> vec4f { return select(vec4f(), vec4f(run.values), run.exist); }`,
  );
  return `/** Of an element, or vector, in its operand; the first where there is none. */
struct Place { index: u32, exists: bool }
fn placeIf(exists: bool, index: u32) -> Place { return Place(select(0u, index, exists), exists); }
${declared.join('\n')}
alias LeftRuns = array<${runType(left)}, 4>;
alias RightRuns = array<${runType(right)}, 4>;`;
}

type Runs = Pick<TileOperand, 'name' | 'vector' | 'dtype'>;

/** The WGSL type of a run: one for all operands that are bound alike. */
export function runType({ dtype, vector }: Pick<Runs, 'vector' | 'dtype'>): string {
  return `${vector ? 'Vector' : 'Scalar'}Run${dtype === 'f16' ? 'H' : 'F'}`;
}

/**
 * WGSL of an operand named `left` around its loads: `leftRun`, which loads a run from its place, or from the places of its
 * four elements where the operand is bound one by one; and `leftBlock`.
 * @param turned its runs lie along k, one for each outer; otherwise one for each k
 */
export function runCode(operand: Runs, turned: boolean): string {
  const { name, vector } = operand;
  const Run = runType(operand);
  const matrix = `mat4x4f(${four((j) => `valuesOf${Run}(runs[${j}])`)})`;
  return wgsl`
#if ${vector}
fn ${name}Run(place: Place) -> ${Run} { return ${Run}(${name}[place.index], place.exists); }
#else
fn ${name}Run(${four((j) => `p${j}: Place`)}) -> ${Run} {
  return ${Run}(vec4(${four((j) => `${name}[p${j}.index]`)}), vec4<bool>(${four((j) => `p${j}.exists`)}));
}
#endif
fn ${name}Block(runs: ${runsOf(name)}) -> mat4x4f { return ${turned ? `transpose(${matrix})` : matrix}; }`;
}

/** The WGSL type of what an operand loads for a block. */
export function runsOf(name: TileOperand['name']): 'LeftRuns' | 'RightRuns' {
  return name === 'left' ? 'LeftRuns' : 'RightRuns';
}

/**
 * A dense matrix of `outers` × `depth`, stored one outer after the other (`along`) or one k after the other. With `batch`
 * there are many of them, one behind the other, and each share of the depth (`part.share`, a multiple of every slice)
 * belongs to the next one: k beyond a matrix's own depth `dims.inner` is 0.
 */
export function matrixOperand(
  name: TileOperand['name'],
  { outers, depth, along, slice, batch = false, dtype }: Matrix,
): TileOperand {
  const vector = (along ? depth : outers) % 4 === 0;
  const inner = batch ? 'dims.inner' : 'part.depth';
  const even = depth % slice === 0;
  const stride = along ? inner : `dims.${name}Outers`;
  const code = wgsl`
${denseRuns({ name, vector, along, stride, inner: even ? undefined : inner })}
fn ${name}Start(k: u32, deep: u32) -> vec3u {
#if ${batch}
  let number = k / part.share;
  let own = k - number * part.share;
  let matrix = number * ${inUnits(vector, `(dims.${name}Outers * dims.inner)`)};
  return vec3u(own, matrix + ${name}Depth(own), 0u);
#else
  return vec3u(k, ${name}Depth(k), 0u);
#endif
}
fn ${name}Depth(k: u32) -> u32 { return ${along ? inUnits(vector, 'k') : `k * ${inUnits(vector, stride)}`}; }
fn ${name}Advance(at: vec3u, by: u32) -> vec3u { return vec3u(at.x + by, at.y + ${name}Depth(by), 0u); }
fn ${name}Load(outer: ${outerOf(name)}, at: vec3u, on: bool) -> ${runsOf(name)} {
  return ${name}Runs(outer, at.x, at.y, on);
}
${runCode({ name, dtype, vector }, along)}`;
  const dims = { [`${name}Outers`]: outers, ...(batch && { inner: depth }) };
  const outer = { offset: along ? `outer * ${inner}` : 'outer', exists: `outer < dims.${name}Outers` };
  const digits = [{ count: inner, stride: along ? '1u' : `dims.${name}Outers` }];
  const matrix = `dims.${name}Outers * dims.inner`;
  const walk = {
    run: along ? depth : outers,
    inner: depth,
    outer,
    digits,
    base: '0u',
    ...(batch && { matrix }),
  };
  return { name, dtype, vector, along, code, walk, dims };
}

export interface Matrix {
  readonly dtype: DType;
  readonly outers: number;
  readonly depth: number;
  readonly along: boolean;
  /** Of the tile. */
  readonly slice: number;
  readonly batch?: boolean;
}

/**
 * WGSL of `leftOuter` for outers that lie `stride` apart (`along`), or whose k lie `stride` apart, and of
 * `leftRuns(outer, k, first, on)`, which loads a block, given the slice's k and the place of outer 0 at it. Places count
 * units: vectors of four elements where the operand is bound so.
 * @param inner WGSL of the depth beyond which there is nothing; undefined where slices end with it
 * @param deep the place at the slice's k is the same for all lanes, which are `deep` behind it; not so if it is a lane's own
 */
export function denseRuns({
  name,
  vector,
  along,
  stride,
  inner,
  deep = true,
}: Pick<TileOperand, 'name' | 'vector' | 'along'> & {
  stride: string;
  inner: string | undefined;
  deep?: boolean;
}): string {
  const Outer = outerOf(name);
  const outers = `dims.${name}Outers`;
  const start = (i: number) =>
    along
      ? `(first + ${i}u) * ${inUnits(vector, stride)} + ${deep ? inUnits(vector, 'deep') : '0u'}`
      : `(deep + ${i}u) * ${inUnits(vector, stride)} + ${inUnits(vector, 'first')}`;
  const exists = (outer: number, k: number) =>
    [
      'on',
      `outer.first + ${outer}u < ${outers}`,
      ...(inner === undefined ? [] : [`k + outer.deep + ${k}u < ${inner}`]),
    ].join(' && ');
  const place = (i: number, j: number) =>
    `placeIf(${along ? exists(i, j) : exists(j, i)}, at + outer.starts[${i}]${j > 0 ? ` + ${j}u` : ''})`;
  return `struct ${Outer} { first: u32, deep: u32, starts: vec4u }
fn ${name}Outer(first: u32, deep: u32) -> ${Outer} {
  return ${Outer}(first, deep, vec4u(${four(start)}));
}
fn ${name}Runs(outer: ${Outer}, k: u32, at: u32, on: bool) -> ${runsOf(name)} {
  return ${runsOf(name)}(${four((i) => `${name}Run(${vector ? place(i, 0) : four((j) => place(i, j))})`)});
}`;
}

export function outerOf(name: TileOperand['name']): 'LeftOuter' | 'RightOuter' {
  return name === 'left' ? 'LeftOuter' : 'RightOuter';
}

/** WGSL of a number of elements, a multiple of four where they are bound as vectors, as a number of vectors. */
export function inUnits(vector: boolean, elements: string): string {
  return vector ? `(${elements} / 4u)` : elements;
}

/** The arguments of a call, from 0 to 3. */
export function four(argument: (j: number) => string): string {
  return [0, 1, 2, 3].map(argument).join(', ');
}
