import type { MatrixShape } from '../../engine/graph/tensor.js';
import { walkCode } from './matrix-walk.js';
import { four, type TileOperand } from './tile-operand.js';

/**
 * The operands of a product of small matrices (tile-matrix.ts) on their way to workgroup memory, where they lie in quads:
 * four neighbours along k of one outer. A lane brings a block of sixteen elements: whole words of 128 bits from memory that
 * runs along k, four runs that are transposed in registers from memory that runs along the outers.
 *
 * A block is loaded long before it is staged, while the tile is computed, so nothing is done with it in between: it holds
 * the values as they came, and which of the loads hit the operand. The code of an operand named `left` declares, beside its
 * walk (matrix-walk.ts):
 *
 *     alias LeftSpots = …                      // what is known of a block's outers, the same for every k
 *     fn leftSpotsOf(first: u32) -> LeftSpots
 *     struct LeftBlock { … }
 *     fn leftFetch(outers: LeftSpots, at: vec4u, way: Way) -> LeftBlock
 *     fn leftQuads(block: LeftBlock) -> array<Quad, 4>  // outer by outer; zeros beyond an end
 *     fn leftSums(block: LeftBlock) -> vec4f   // of its four outers, where its runs lie along them (`runsAcross`)
 */
export interface Staging {
  /** The element type of the operand's binding. */
  readonly type: string;
  readonly code: string;
  /** Outers and quads of a block. */
  readonly outers: number;
  readonly quads: number;
}

export type Held = MatrixShape['operands'];

/** Elements of a block. */
export const BLOCK = 16;

/** WGSL type of a quad. */
export function quadType(held: Held): 'vec2u' | 'vec4u' {
  return held === 'f16' ? 'vec2u' : 'vec4u';
}

/**
 * @param held type of the elements of the small matrices: an operand that is stored otherwise is converted
 */
export function stagingOf(operand: TileOperand, held: Held): Staging {
  const { code, ...staging } = readingOf(operand, held);
  return { ...staging, code: `${walkCode(operand)}\n${code}` };
}

function readingOf(operand: TileOperand, held: Held): Staging {
  const { along, dtype, walk } = operand;
  if (dtype === held && along && walk.run % (held === 'f16' ? 8 : 4) === 0) return alongRuns(operand, held);
  if (runsAcross(operand, held)) return acrossRuns(operand, held);
  return singly(operand, held);
}

/** Whether memory runs along the outers in fours, of the type that small matrices have. */
export function runsAcross({ along, vector, dtype }: TileOperand, held: Held): boolean {
  return dtype === held && !along && vector;
}

/** Memory runs along k in multiples of a word. */
function alongRuns({ name }: TileOperand, held: Held): Staging {
  const outers = held === 'f16' ? 2 : 4;
  const quads = 4 / outers;
  const each = (code: (j: number) => string, separator = ', ') => count(outers).map(code).join(separator);
  const { Spots, Block } = typesOf(name);
  const word = (j: number) => `select(vec4u(), block.words[${j}], block.found[${j}])`;
  const parts = (j: number) => (held === 'f16' ? `word${j}.xy, word${j}.zw` : `word${j}`);
  const code = `
${manySpots(name, outers)}
struct ${Block} { words: array<vec4u, ${outers}>, found: array<bool, ${outers}> }
fn ${name}Fetch(outers: ${Spots}, at: vec4u, way: Way) -> ${Block} {
${each((j) => `  let i${j} = ${name}Place(outers[${j}], at, way);`, '\n')}
  return ${Block}(array(${each((j) => `${name}[i${j} / ${4 * quads}u]`)}), array(${each((j) => `i${j} < MISSING`)}));
}
fn ${name}Quads(block: ${Block}) -> array<${quadType(held)}, 4> {
${each((j) => `  let word${j} = ${word(j)};`, '\n')}
  return array(${each(parts)});
}`;
  return { type: 'vec4u', code, outers, quads };
}

/** Memory runs along the outers in fours: four runs make four quads, transposed when they are staged. */
function acrossRuns(operand: TileOperand, held: Held): Staging {
  const { name } = operand;
  const { Spot, Spots, Block } = typesOf(name);
  const Run = quadType(held);
  /** Outer j of the run of k. */
  const element = (k: number, j: number) => `bitcast<vec2h>(run${k}[${j >> 1}])[${j % 2}]`;
  const pair = (k: number, j: number) => `bitcast<u32>(vec2h(${element(k, j)}, ${element(k + 1, j)}))`;
  const quad = (j: number) =>
    held === 'f16' ? `vec2u(${pair(0, j)}, ${pair(2, j)})` : `vec4u(${four((k) => `run${k}[${j}]`)})`;
  const values = (k: number) =>
    held === 'f16' ? `vec4f(bitcast<vec4h>(block.runs[${k}]))` : `bitcast<vec4f>(block.runs[${k}])`;
  const code = `
alias ${Spots} = ${Spot};
fn ${name}SpotsOf(first: u32) -> ${Spots} { return ${name}SpotOf(first); }
struct ${Block} { runs: array<${Run}, 4>, found: array<bool, 4> }
fn ${name}Fetch(outer: ${Spots}, at0: vec4u, way: Way) -> ${Block} {
${walked(operand)}
${lines([0, 1, 2, 3], (k) => `  let i${k} = ${name}Place(outer, at${k}, way);`)}
  return ${Block}(array(${four((k) => `${name}[i${k} / 4u]`)}), array(${four((k) => `i${k} < MISSING`)}));
}
fn ${name}Quads(block: ${Block}) -> array<${Run}, 4> {
${lines([0, 1, 2, 3], (k) => `  let run${k} = select(${Run}(), block.runs[${k}], block.found[${k}]);`)}
  return array(${four(quad)});
}
fn ${name}Sums(block: ${Block}) -> vec4f {
  return ${[0, 1, 2, 3].map((k) => `select(vec4f(), ${values(k)}, block.found[${k}])`).join(' + ')};
}`;
  return { type: Run, code, outers: 4, quads: 1 };
}

/**
 * Memory has no runs that would do, or its elements are of another type than the small matrices': one by one, converted
 * and put together as they come. Slow, and rare.
 */
function singly(operand: TileOperand, held: Held): Staging {
  const { name, dtype } = operand;
  const { Spot, Spots, Block } = typesOf(name);
  const Quad = quadType(held);
  const element = (j: number, k: number) => `${name}Element(outers[${j}], at${k}, way)`;
  const quad = (j: number) =>
    held === 'f16'
      ? `bitcast<vec2u>(vec4h(${four((k) => element(j, k))}))`
      : `bitcast<vec4u>(vec4f(${four((k) => element(j, k))}))`;
  const code = `
${manySpots(name, 4)}
fn ${name}Element(outer: ${Spot}, at: vec4u, way: Way) -> ${held} {
  let i = ${name}Place(outer, at, way);
  return select(${held}(), ${held}(${name}[i]), i < MISSING);
}
alias ${Block} = array<${Quad}, 4>;
fn ${name}Fetch(outers: ${Spots}, at0: vec4u, way: Way) -> ${Block} {
${walked(operand)}
  return ${Block}(${four(quad)});
}
fn ${name}Quads(block: ${Block}) -> ${Block} { return block; }`;
  return { type: dtype, code, outers: 4, quads: 1 };
}

function manySpots(name: TileOperand['name'], outers: number): string {
  const { Spot, Spots } = typesOf(name);
  const spots = count(outers).map((j) => `${name}SpotOf(first + ${j}u)`);
  return `alias ${Spots} = array<${Spot}, ${outers}>;
fn ${name}SpotsOf(first: u32) -> ${Spots} { return ${Spots}(${spots.join(', ')}); }`;
}

/**
 * `at1`, `at2`, `at3`: the places behind `at0` along k, a multiple of 4. Where fours divide the first digit it does not turn
 * within one, and all four exist together: no digit moves that nobody asks for.
 */
function walked({ name, walk }: Pick<TileOperand, 'name' | 'walk'>): string {
  const whole = walk.inner % 4 === 0;
  const next = (k: number) => (whole ? `at${k - 1} + one` : `${name}Next(at${k - 1}, one, way)`);
  return `  let one = vec4u(${whole && walk.spot === undefined ? '0u' : 'way.units.x'}, 0u, 0u, way.strides.x);
${lines([1, 2, 3], (k) => `  let at${k} = ${next(k)};`)}`;
}

function typesOf(name: TileOperand['name']): Readonly<Record<'Spot' | 'Spots' | 'Block', string>> {
  const Name = name === 'left' ? 'Left' : 'Right';
  return { Spot: `${Name}Spot`, Spots: `${Name}Spots`, Block: `${Name}Block` };
}

function count(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function lines(list: readonly number[], line: (i: number) => string): string {
  return list.map(line).join('\n');
}
