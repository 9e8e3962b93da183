import type { DeviceTraits, KernelStep } from '../../engine/graph/tensor.js';
import { literal } from '../pointwise/expression.js';
import type { Rows } from './attention-geometry.js';
import {
  bufferRows,
  columnSpan,
  extent,
  keyLimit,
  LOWEST,
  otherBindings,
  type PassProblem,
  passDims,
  seen,
  sizeNames,
  storeResult,
} from './attention-step.js';

/**
 * Passes for GPUs. A workgroup of 8 × 8 lanes owns some rows, which it keeps in workgroup memory, and brings in one block
 * of columns after the other. Each lane computes a few scores of the block, from which one lane a row makes weights; then
 * each lane adds to its own part of the rows' sums.
 *
 * A forward pass with 16 rows and 8 columns comes out as
 *
 *     for (var block = 0u; block < limit; block += 8u) {
 *       … columns to shared memory, barrier …
 *       for (var e = 0u; e < width; e++) { let a0 = rowTile0[…]; let b0 = columnTile0[…]; s0_0 += dot(a0, b0); … }
 *       … scores to shared memory, barrier, weights and their shares, barrier …
 *       for (var j = 0u; j < 8u; j++) { let p0 = weights0[…]; let c0 = columnTile1[…]; o0_0_0 = fma(vec4f(p0), c0, o0_0_0); … }
 *     }
 */
interface Tile {
  readonly rows: number;
  readonly columns: number;
}

/** The lanes lie in a square of this side. */
const SIDE = 8;
const LANES = SIDE * SIDE;

/** Largest first; the last fits the 16 KiB that every adapter has, for heads of 64. */
const TILES: readonly Tile[] = [
  { rows: 32, columns: 16 },
  { rows: 16, columns: 16 },
  { rows: 16, columns: 8 },
  { rows: 8, columns: 8 },
];

export function unfitForTile(problem: PassProblem, traits: DeviceTraits): string | undefined {
  if (problem.geometry.width % 4 !== 0) return 'heads do not go in fours';
  if (traits.adapter === 'swiftshader') return "takes SwiftShader's compiler minutes";
  if (problem.geometry.width > 256) return 'heads are too wide for registers';
  return tileFor(problem, traits) ? undefined : 'heads are too wide for workgroup memory';
}

function tileFor(problem: PassProblem, traits: Pick<DeviceTraits, 'maxWorkgroupBytes'>): Tile | undefined {
  return TILES.find((tile) => tileBytes(problem, tile) <= traits.maxWorkgroupBytes);
}

/** The operands of which a pass keeps a block of columns. */
function columnOperands({ pass: { scores, slopes, sums } }: PassProblem): Rows[] {
  return [
    ...new Set([scores.column, ...(slopes ? [slopes.column] : []), ...sums.map(({ column }) => column)]),
  ];
}

function rowOperands({ pass: { scores, slopes } }: PassProblem): Rows[] {
  return [scores.row, ...(slopes ? [slopes.row] : [])];
}

/** Texels of a tile's line: one more than a head has, so that lines do not begin in the same bank. */
function lineOf({ geometry: { width } }: PassProblem): number {
  return width / 4 + 1;
}

function tileBytes(problem: PassProblem, { rows, columns }: Tile): number {
  const lines = rows * rowOperands(problem).length + columns * columnOperands(problem).length;
  const weights = rows * (columns + 1) * (problem.pass.slopes ? 2 : 1);
  return 16 * lines * lineOf(problem) + 4 * (weights + 3 * rows);
}

export function tileStep(problem: PassProblem, traits: DeviceTraits): KernelStep {
  const tile = tileFor(problem, traits);
  if (!tile) throw new RangeError('attention: no tile fits the workgroup memory');
  const loads = bufferRows(problem, 4);
  const { rows } = extent(problem);
  const { n, heads } = problem.geometry;
  return {
    kind: 'dispatch',
    bindings: [...loads.bindings, ...otherBindings(problem, 4)],
    workgroups: [Math.ceil(rows / tile.rows), heads, n],
    dims: passDims(problem, 4),
    code: tileCode(problem, tile, loads.load),
  };
}

function tileCode(
  problem: PassProblem,
  { rows, columns }: Tile,
  load: (name: Rows, token: string, index: string) => string,
): string {
  const { pass, geometry } = problem;
  const { width, scale } = geometry;
  const texels = width / 4;
  const line = lineOf(problem);
  const byQueries = pass.rowsAre === 'queries';
  const { rowSize, columnSize } = sizeNames(problem);
  /** What a lane owns: rows and columns of the scores, texels of each of its rows' sums. */
  const [ownRows, ownColumns, ownTexels] = [rows / SIDE, columns / SIDE, Math.ceil(texels / SIDE)];
  const lines = (count: number, text: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => text(i)).join('\n');
  const rowTiles = rowOperands(problem);
  const columnTiles = columnOperands(problem);
  const rowTile = (name: Rows) => `rowTile${rowTiles.indexOf(name)}`;
  const columnTile = (name: Rows) => `columnTile${columnTiles.indexOf(name)}`;
  const fill = (tile: string, name: Rows, count: number, base: string, start: string, size: string) =>
    `for (var i = lane; i < ${count * texels}u; i += ${LANES}u) {
    let row = i / ${texels}u;
    let e = i % ${texels}u;
    ${tile}[row * ${line}u + e] = ${load(name, `${base} + min(${start} + row, ${size} - 1u)`, 'headAt + e')};
  }`;
  const products = [{ name: 's', ...pass.scores }, ...(pass.slopes ? [{ name: 'u', ...pass.slopes }] : [])];
  const dots = lines(products.length, (k) => {
    const { name, row, column } = products[k] as (typeof products)[number];
    return `${lines(ownRows, (r) => lines(ownColumns, (i) => `    var ${name}${r}_${i} = 0.0;`))}
    for (var e = 0u; e < ${texels}u; e++) {
${lines(ownRows, (r) => `      let a${r} = ${rowTile(row)}[(y * ${ownRows}u + ${r}u) * ${line}u + e];`)}
${lines(ownColumns, (i) => `      let b${i} = ${columnTile(column)}[(x + ${i * SIDE}u) * ${line}u + e];`)}
${lines(ownRows, (r) => lines(ownColumns, (i) => `      ${name}${r}_${i} += dot(a${r}, b${i});`))}
    }`;
  });
  const place = (r: number, i: number) => `(y * ${ownRows}u + ${r}u) * ${columns + 1}u + x + ${i * SIDE}u`;
  const each = (text: (r: number, i: number) => string) =>
    lines(ownRows, (r) => lines(ownColumns, (i) => text(r, i)));
  const rowAt = (r: number) => `first + y * ${ownRows}u + ${r}u`;
  const columnAt = (i: number) => `block + x + ${i * SIDE}u`;
  const forward = `${each((r, i) => `    weights0[${place(r, i)}] = select(${LOWEST}, s${r}_${i} * ${literal(scale)}, ${seen(problem, rowAt(r), columnAt(i))});`)}
    workgroupBarrier();
    if (lane < ${rows}u) {
      let begin = lane * ${columns + 1}u;
      var next = highest[lane];
      for (var j = 0u; j < ${columns}u; j++) { next = max(next, weights0[begin + j]); }
      var total = 0.0;
      for (var j = 0u; j < ${columns}u; j++) {
        let score = weights0[begin + j];
        let p = select(0.0, exp(score - next), score > ${LOWEST});
        weights0[begin + j] = p;
        total += p;
      }
      let shrink = exp(highest[lane] - next);
      totals[lane] = totals[lane] * shrink + total;
      highest[lane] = next;
      shrinks[lane] = shrink;
    }
    workgroupBarrier();
${lines(
  ownRows,
  (r) => `    { let shrink = shrinks[y * ${ownRows}u + ${r}u];
${lines(ownTexels, (t) => `      o0_${r}_${t} *= shrink;`)} }`,
)}`;
  const backward = `${each((r, i) => {
    const query = byQueries ? rowAt(r) : columnAt(i);
    return `    {
      let at = ofHead + min(${query}, dims.queries - 1u);
      let p = select(0.0, exp(s${r}_${i} * ${literal(scale)} - lse[at]), ${seen(problem, rowAt(r), columnAt(i))});
      weights0[${place(r, i)}] = p;
      weights1[${place(r, i)}] = ${literal(scale)} * p * (u${r}_${i} - delta[at]);
    }`;
  })}
    workgroupBarrier();`;
  const texelAt = (t: number) => `x + ${t * SIDE}u`;
  /** Lanes beyond the head read a neighbour's texel, and store nothing. */
  const readable = (t: number) =>
    (t + 1) * SIDE <= texels ? texelAt(t) : `min(${texelAt(t)}, ${texels - 1}u)`;
  const add = lines(pass.sums.length, (k) => {
    const { weight, column } = pass.sums[k] as (typeof pass.sums)[number];
    return `    for (var j = 0u; j < ${columns}u; j++) {
${lines(ownTexels, (t) => `      let c${t} = ${columnTile(column)}[j * ${line}u + ${readable(t)}];`)}
${lines(
  ownRows,
  (
    r,
  ) => `      let w${r} = vec4f(weights${weight === 'p' ? 0 : 1}[(y * ${ownRows}u + ${r}u) * ${columns + 1}u + j]);
${lines(ownTexels, (t) => `      o${k}_${r}_${t} = fma(w${r}, c${t}, o${k}_${r}_${t});`)}`,
)}
    }`;
  });
  const span = columnSpan(problem, rows, columns);
  const store = lines(pass.sums.length, (k) =>
    lines(
      ownRows,
      (r) => `  if (${rowAt(r)} < ${rowSize}) {
${lines(
  ownTexels,
  (t) =>
    `    if (${texelAt(t)} < ${texels}u) { ${storeResult(problem, k, `rowBase + ${rowAt(r)}`, texelAt(t), `o${k}_${r}_${t}`, 4)} }`,
)}
  }`,
    ),
  );
  const shared = (name: string, type: string, count: number) =>
    `var<workgroup> ${name}: array<${type}, ${count}>;`;
  return `
${lines(rowTiles.length, (i) => shared(`rowTile${i}`, 'vec4f', rows * line))}
${lines(columnTiles.length, (i) => shared(`columnTile${i}`, 'vec4f', columns * line))}
${lines(pass.slopes ? 2 : 1, (i) => shared(`weights${i}`, 'f32', rows * (columns + 1)))}
${pass.slopes ? '' : ['highest', 'totals', 'shrinks'].map((name) => shared(name, 'f32', rows)).join('\n')}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let x = lane % ${SIDE}u;
  let y = lane / ${SIDE}u;
  let first = group.x * ${rows}u;
  let head = group.y;
  let n = group.z;
  let headAt = head * ${texels}u;
  let rowBase = n * ${rowSize};
  let columnBase = n * ${columnSize};
  let ofHead = (n * dims.heads + head) * dims.queries;
  let limit = ${keyLimit(problem)};
${lines(rowTiles.length, (i) => `  ${fill(`rowTile${i}`, rowTiles[i] as Rows, rows, 'rowBase', 'first', rowSize)}`)}
${pass.slopes ? '' : `  if (lane < ${rows}u) { highest[lane] = ${LOWEST}; totals[lane] = 0.0; }`}
${lines(pass.sums.length, (k) => each2(ownRows, ownTexels, (r, t) => `  var o${k}_${r}_${t} = vec4f();`))}
  for (var block = ${span.begin}; block < ${span.end}; block += ${columns}u) {
    workgroupBarrier();
${lines(columnTiles.length, (i) => `  ${fill(`columnTile${i}`, columnTiles[i] as Rows, columns, 'columnBase', 'block', columnSize)}`)}
    workgroupBarrier();
${dots}
${pass.slopes ? backward : forward}
${add}
  }
${
  pass.slopes
    ? ''
    : `  workgroupBarrier();
  if (lane < ${rows}u && first + lane < dims.queries) { lse[ofHead + first + lane] = highest[lane] + log(totals[lane]); }
${lines(
  ownRows,
  (r) => `  { let total = totals[y * ${ownRows}u + ${r}u];
    let share = select(0.0, 1.0 / total, total > 0.0);
${lines(ownTexels, (t) => `    o0_${r}_${t} *= share;`)} }`,
)}`
}
${store}
}`;
}

function each2(outer: number, inner: number, text: (a: number, b: number) => string): string {
  return Array.from({ length: outer * inner }, (_, i) => text(Math.floor(i / inner), i % inner)).join('\n');
}
