import type { Binding, DeviceTraits, KernelStep, Scratch } from '../../engine/graph/tensor.js';
import { ALIAS_BYTES, formatOf, rowTexelsOf, type Stored, texelBytes } from '../common/texture-operand.js';
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
 * Passes for software adapters: no barriers, no workgroup memory. A subgroup owns `rows` rows. For a block of columns,
 * first every lane takes some columns and computes their scores with all the rows, whose values it is told by broadcast;
 * then every lane takes some of the values of the sums, and is told the weights by broadcast. Operands that lie in storage
 * textures are read about twice as fast on lavapipe; SwiftShader reads buffers faster.
 *
 * With 4 lanes, 4 rows and one column a lane, the inner loops come out as
 *
 *     let a0 = textureLoad(rows0, …);            // of row `lane`
 *     let b0 = textureLoad(rows1, …);            // of column `lane`
 *     s0_0 = fma(subgroupBroadcast(a0[0], 0u), b0[0], s0_0);   // … row 0, its four values
 *     s1_0 = fma(subgroupBroadcast(a0[0], 1u), b0[0], s1_0);   // … row 1
 *     …
 *     let c0 = textureLoad(rows2, …);            // four values of column 0, others in each lane
 *     o0_0 = fma(vec4f(subgroupBroadcast(p0_0, 0u)), c0, o0_0);
 */

export function unfitForLanes({ geometry }: PassProblem, traits: DeviceTraits): string | undefined {
  if (traits.subgroupSize !== 4 && traits.subgroupSize !== 8) return 'needs subgroups of 4 or 8 lanes';
  if (traits.adapter === 'swiftshader') return "takes SwiftShader's compiler minutes";
  if (geometry.width % 4 !== 0) return 'heads are not whole texels wide';
  if (geometry.width > 32 * traits.subgroupSize) return 'heads are too wide for the registers of a subgroup';
  return undefined;
}

/** As measured on lavapipe and SwiftShader; 16 rows are no faster than 8, and take a driver three times as long to compile. */
const STYLE = { rows: 8, columns: 4 } as const;

export function lanesSteps(
  problem: PassProblem,
  traits: DeviceTraits,
  addScratch: (need: Scratch) => number,
  staged: Map<number, StagedRows>,
): KernelStep[] {
  const steps: KernelStep[] = [];
  const loads =
    (traits.adapter === 'lavapipe' ? textureRows(problem, traits, addScratch, staged, steps) : undefined) ??
    bufferRows(problem, 4);
  const { rows } = extent(problem);
  const { n, heads } = problem.geometry;
  steps.push({
    kind: 'dispatch',
    bindings: [...loads.bindings, ...otherBindings(problem, 4)],
    workgroups: [Math.ceil(rows / STYLE.rows), heads, n],
    dims: passDims(problem, 4),
    enables: ['subgroups'],
    code: lanesCode(problem, traits.subgroupSize, loads.load),
  });
  return steps;
}

/** An operand that a texture holds already. */
export interface StagedRows {
  readonly texture: number;
  readonly format: Stored;
}

/** The rows in textures, a token a line; undefined where one of them does not fit a texture. */
function textureRows(
  { rows, geometry: { n, queries, keys } }: PassProblem,
  { maxTextureSide }: DeviceTraits,
  addScratch: (need: Scratch) => number,
  staged: Map<number, StagedRows>,
  steps: KernelStep[],
): { bindings: Binding[]; load: (name: Rows, token: string, index: string) => string } | undefined {
  const tokensOf = (name: Rows) => n * (name === 'q' || name === 'dy' ? queries : keys);
  for (const [name, { stored, stride }] of rows) {
    const texels = stride / 4;
    if (texels % rowTexelsOf(stored) !== 0 || texels + rowTexelsOf(stored) > maxTextureSide) return undefined;
    if (tokensOf(name) > maxTextureSide) return undefined;
  }
  const bindings: Binding[] = [];
  for (const [name, { input, stored, stride }] of rows) {
    const pitch = stride / 4;
    let known = staged.get(input);
    if (!known) {
      // Lines that are a multiple of so many bytes apart would share a few sets of the first cache.
      const aliased = (pitch * texelBytes(stored)) % ALIAS_BYTES === 0;
      const width = aliased ? pitch + rowTexelsOf(stored) : pitch;
      const height = tokensOf(name);
      const texture = addScratch({ kind: 'texture', width, height, format: formatOf(stored) });
      const box = { offset: 0, pitch, x: 0, y: 0, width: pitch, height };
      steps.push({ kind: 'texture-copy', from: { kind: 'input', index: input }, to: texture, box });
      known = { texture, format: stored };
      staged.set(input, known);
    }
    if (bindings.some((binding) => binding.name === `rows${input}`)) continue;
    bindings.push({
      name: `rows${input}`,
      operand: { kind: 'scratch', index: known.texture },
      access: 'texture',
      type: formatOf(known.format),
    });
  }
  return {
    bindings,
    load: (name, token, index) =>
      `textureLoad(rows${rows.get(name)?.input}, vec2u(dims.${name}Offset + ${index}, ${token}))`,
  };
}

function lanesCode(
  problem: PassProblem,
  lanes: number,
  load: (name: Rows, token: string, index: string) => string,
): string {
  const { rows, columns } = STYLE;
  const { pass, geometry } = problem;
  const { width, scale } = geometry;
  const byQueries = pass.rowsAre === 'queries';
  const { rowSize, columnSize } = sizeNames(problem);
  /** Texels of a sum that a lane owns; the last may lie beyond the head. */
  const owned = Math.ceil(width / 4 / lanes);
  const whole = (width / 4) % lanes === 0;
  const block = lanes * columns;
  const lines = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join('\n');
  const told = (value: string, lane: number) => `subgroupBroadcast(${value}, ${lane}u)`;
  /** The value of row r, of which lanes hold one each. */
  const ofRow = (name: string, r: number) => told(`${name}${Math.floor(r / lanes)}`, r % lanes);
  const products = [{ name: 's', ...pass.scores }, ...(pass.slopes ? [{ name: 'u', ...pass.slopes }] : [])];
  const dots = lines(products.length, (k) => {
    const { name, row, column } = products[k] as (typeof products)[number];
    return `${lines(rows, (r) => lines(columns, (i) => `    var ${name}${r}_${i} = 0.0;`))}
    for (var e = 0u; e < dims.width; e++) {
${lines(rows / lanes, (i) => `      let a${i} = ${load(row, `rowToken${i}`, 'headAt + e')};`)}
${lines(columns, (i) => `      let b${i} = ${load(column, `columnToken${i}`, 'headAt + e')};`)}
${lines(rows, (r) =>
  lines(4, (q) => {
    const a = `x${r}_${q}`;
    return `      let ${a} = ${told(`a${Math.floor(r / lanes)}[${q}]`, r % lanes)};
${lines(columns, (i) => `      ${name}${r}_${i} = fma(${a}, b${i}[${q}], ${name}${r}_${i});`)}`;
  }),
)}
    }`;
  });
  const columnAt = (i: number) => `column${i}`;
  const rowAt = (r: number) => `(first + ${r}u)`;
  const forward = lines(
    rows,
    (r) => `    {
${lines(columns, (i) => `      let t${i} = select(${LOWEST}, s${r}_${i} * ${literal(scale)}, ${seen(problem, rowAt(r), columnAt(i))});`)}
      let next = max(m${r}, subgroupMax(${Array.from({ length: columns }, (_, i) => `t${i}`).reduce((a, b) => `max(${a}, ${b})`)}));
      let shrink = exp(m${r} - next);
      m${r} = next;
${lines(columns, (i) => `      s${r}_${i} = select(0.0, exp(t${i} - next), t${i} > ${LOWEST});`)}
      z${r} = z${r} * shrink + ${Array.from({ length: columns }, (_, i) => `s${r}_${i}`).join(' + ')};
${lines(owned, (t) => `      o0_${r}_${t} *= shrink;`)}
    }`,
  );
  const backward = lines(rows, (r) =>
    lines(columns, (i) => {
      const [lse, delta] = byQueries ? [`lse${r}`, `delta${r}`] : [`columnLse${i}`, `columnDelta${i}`];
      // A score becomes its weight, and the slope of the weight that of the score.
      return `    s${r}_${i} = select(0.0, exp(s${r}_${i} * ${literal(scale)} - ${lse}), ${seen(problem, rowAt(r), columnAt(i))});
    u${r}_${i} = ${literal(scale)} * s${r}_${i} * (u${r}_${i} - ${delta});`;
    }),
  );
  const texel = (t: number) => `(headAt + lane + ${t * lanes}u)`;
  const guarded = (t: number, text: string) =>
    whole || t < owned - 1 ? text : `select(vec4f(), ${text}, lane + ${t * lanes}u < dims.width)`;
  const add = lines(columns, (i) =>
    lines(
      lanes,
      (j) => `    {
      let token = columnBase + min(block + ${i * lanes + j}u, ${columnSize} - 1u);
${lines(pass.sums.length, (k) => {
  const { column, weight } = pass.sums[k] as (typeof pass.sums)[number];
  const name = weight === 'p' ? 's' : 'u';
  return `${lines(owned, (t) => `      let c${k}_${t} = ${guarded(t, load(column, 'token', texel(t)))};`)}
${lines(
  rows,
  (r) => `      let w${k}_${r} = vec4f(${told(`${name}${r}_${i}`, j)});
${lines(owned, (t) => `      o${k}_${r}_${t} = fma(w${k}_${r}, c${k}_${t}, o${k}_${r}_${t});`)}`,
)}`;
})}
    }`,
    ),
  );
  const span = columnSpan(problem, rows, block);
  const store = (k: number) => `  {
    var sums = array<vec4f, ${rows * owned}>(${Array.from({ length: rows * owned }, (_, i) => `o${k}_${Math.floor(i / owned)}_${i % owned}`).join(', ')});
    for (var r = 0u; r < ${rows}u && first + r < ${rowSize}; r++) {
${lines(
  owned,
  (t) => `      if (lane + ${t * lanes}u < dims.width) {
        ${storeResult(problem, k, 'rowBase + first + r', `lane + ${t * lanes}u`, `sums[r * ${owned}u + ${t}u]`, 4)}
      }`,
)}
    }
  }`;
  return `
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ${rows}u;
  let head = group.y;
  let n = group.z;
  let headAt = head * dims.width;
  let rowBase = n * ${rowSize};
  let columnBase = n * ${columnSize};
  let ofHead = (n * dims.heads + head) * dims.queries;
  let limit = ${keyLimit(problem)};
${lines(
  rows / lanes,
  (i) => `  let row${i} = min(first + ${i * lanes}u + lane, ${rowSize} - 1u);
  let rowToken${i} = rowBase + row${i};`,
)}
${
  pass.slopes && byQueries
    ? `${lines(rows / lanes, (i) => `  let lses${i} = lse[ofHead + row${i}]; let deltas${i} = delta[ofHead + row${i}];`)}
${lines(rows, (r) => `  let lse${r} = ${ofRow('lses', r)}; let delta${r} = ${ofRow('deltas', r)};`)}`
    : ''
}
${pass.slopes ? '' : lines(rows, (r) => `  var m${r} = ${LOWEST}; var z${r} = 0.0;`)}
${lines(pass.sums.length, (k) => lines(rows, (r) => lines(owned, (t) => `  var o${k}_${r}_${t} = vec4f();`)))}
  for (var block = ${span.begin}; block < ${span.end}; block += ${block}u) {
${lines(
  columns,
  (i) => `    let column${i} = block + ${i * lanes}u + lane;
    let columnToken${i} = columnBase + min(column${i}, ${columnSize} - 1u);`,
)}
${
  pass.slopes && !byQueries
    ? lines(
        columns,
        (i) => `    let columnLse${i} = lse[ofHead + min(column${i}, dims.queries - 1u)];
    let columnDelta${i} = delta[ofHead + min(column${i}, dims.queries - 1u)];`,
      )
    : ''
}
${dots}
${pass.slopes ? backward : forward}
${add}
  }
${
  pass.slopes
    ? ''
    : `${lines(
        rows,
        (r) => `  let total${r} = subgroupAdd(z${r});
  let share${r} = select(0.0, 1.0 / total${r}, total${r} > 0.0);
${lines(owned, (t) => `  o0_${r}_${t} *= share${r};`)}
  if (lane == 0u && ${rowAt(r)} < dims.queries) { lse[ofHead + ${rowAt(r)}] = m${r} + log(total${r}); }`,
      )}`
}
${lines(pass.sums.length, store)}
}`;
}
