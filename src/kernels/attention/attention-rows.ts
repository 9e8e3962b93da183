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
 * Passes for GPUs whose compilers keep values that are the same for a whole subgroup in scalar registers. A lane owns a row:
 * its values and its sums stay in registers, and no lane waits for another. All lanes of a workgroup go through the columns
 * of one head together, so every value of a column is such a scalar: it is loaded once for all lanes, and is an operand of
 * their multiplications without passing through workgroup memory.
 *
 * Columns are taken a few at a time, since the sums are scaled anew whenever the largest score grows.
 *
 * The forward pass over heads of four values, one column at a time, comes out as
 *
 *     for (var block = 0u; block < limit; block += 1u) {
 *       let token0 = columnBase + min((block + 0u), dims.keys - 1u);
 *       var sDots0 = vec4f();
 *       sDots0 = fma(q_0, vec4f(rows1[…]), sDots0);
 *       let s0 = (sDots0.x + sDots0.y) + (sDots0.z + sDots0.w);
 *       … score0, next, shrink, p0 …
 *       total = total * shrink + (p0);
 *       o0_0 *= shrink;
 *       o0_0 = fma(vec4f(p0), vec4f(rows2[…]), o0_0);
 *     }
 */
export function unfitForRows(problem: PassProblem, traits: DeviceTraits): string | undefined {
  const { geometry } = problem;
  if (geometry.width % 4 !== 0) return 'heads do not go in fours';
  if (traits.adapter === 'swiftshader') return "takes SwiftShader's compiler minutes";
  const values = geometry.width * (rowOperands(problem).length + problem.pass.sums.length);
  return values > MOST_REGISTERS
    ? `a row's ${values} values are too many for the registers of a lane`
    : undefined;
}

/** Of the 256 that a lane has at most, for the values that stay. With fewer in use, more subgroups hide each other's waits. */
const MOST_REGISTERS = 160;

/** Lanes of a workgroup: as few as fill a subgroup everywhere, so that few are left over behind the last row. */
const LANES = 64;

/** Columns at a time. Written out they would take a software adapter's compiler seconds. */
function columnsOf({ adapter }: DeviceTraits): number {
  return adapter === 'gpu' ? 8 : 2;
}

function rowOperands({ pass: { scores, slopes } }: PassProblem): Rows[] {
  return [scores.row, ...(slopes ? [slopes.row] : [])];
}

export function rowsStep(problem: PassProblem, traits: DeviceTraits): KernelStep {
  const loads = bufferRows(problem, 4);
  const { rows } = extent(problem);
  const { n, heads } = problem.geometry;
  return {
    kind: 'dispatch',
    bindings: [...loads.bindings, ...otherBindings(problem, 4)],
    workgroups: [Math.ceil(rows / LANES), heads, n],
    dims: passDims(problem, 4),
    code: rowsCode(problem, columnsOf(traits), loads.load),
  };
}

/** `qE`, `oK_E`: four values of the lane's row of an operand, and of its sum number K. `sI`, `uI`, `pI`, `dsI`: of column I. */
function rowsCode(
  problem: PassProblem,
  columns: number,
  load: (name: Rows, token: string, index: string) => string,
): string {
  const { pass, geometry } = problem;
  const texels = geometry.width / 4;
  const scale = literal(geometry.scale);
  const byQueries = pass.rowsAre === 'queries';
  const { rowSize, columnSize } = sizeNames(problem);
  const each = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join('\n');
  const all = (list: string, operator: string) =>
    Array.from({ length: columns }, (_, i) => `${list}${i}`).join(operator);
  const column = (i: number) => `(block + ${i}u)`;
  const products = [{ name: 's', ...pass.scores }, ...(pass.slopes ? [{ name: 'u', ...pass.slopes }] : [])];
  const dots = products
    .map(
      (product) => `${each(columns, (i) => `    var ${product.name}Dots${i} = vec4f();`)}
${each(texels, (e) =>
  each(
    columns,
    (i) =>
      `    ${product.name}Dots${i} = fma(${product.row}_${e}, ${load(product.column, `token${i}`, `(headAt + ${e}u)`)}, ${product.name}Dots${i});`,
  ),
)}
${each(columns, (i) => {
  const name = `${product.name}Dots${i}`;
  return `    let ${product.name}${i} = (${name}.x + ${name}.y) + (${name}.z + ${name}.w);`;
})}`,
    )
    .join('\n');
  const forward = `${each(
    columns,
    (i) => `    let score${i} = select(${LOWEST}, s${i} * ${scale}, ${seen(problem, 'row', column(i))});`,
  )}
    let next = ${Array.from({ length: columns }, (_, i) => `score${i}`).reduce((a, b) => `max(${a}, ${b})`, 'highest')};
    let shrink = exp(highest - next);
    highest = next;
${each(columns, (i) => `    let p${i} = select(0.0, exp(score${i} - next), score${i} > ${LOWEST});`)}
    total = total * shrink + (${all('p', ' + ')});
${each(texels, (e) => `    o0_${e} *= shrink;`)}`;
  const backward = each(columns, (i) => {
    const query = byQueries ? 'lane' : `column${i}`;
    return `${
      byQueries
        ? ''
        : `    let at${i} = ofHead + min(${column(i)}, dims.queries - 1u);
    let column${i}Lse = lse[at${i}];
    let column${i}Delta = delta[at${i}];`
    }
    let p${i} = select(0.0, exp(s${i} * ${scale} - ${query}Lse), ${seen(problem, 'row', column(i))});
    let ds${i} = ${scale} * p${i} * (u${i} - ${query}Delta);`;
  });
  const add = each(columns, (i) =>
    pass.sums
      .map(({ weight, column: operand }, k) =>
        each(
          texels,
          (e) =>
            `    o${k}_${e} = fma(vec4f(${weight}${i}), ${load(operand, `token${i}`, `(headAt + ${e}u)`)}, o${k}_${e});`,
        ),
      )
      .join('\n'),
  );
  const span = columnSpan(problem, LANES, columns);
  const result = (k: number, e: number) => (pass.slopes ? `o${k}_${e}` : `o${k}_${e} * share`);
  return `
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ${LANES}u;
  let row = first + lane;
  let head = group.y;
  let n = group.z;
  let headAt = head * ${texels}u;
  let columnBase = n * ${columnSize};
  let ofHead = (n * dims.heads + head) * dims.queries;
  let limit = ${keyLimit(problem)};
  let own = n * ${rowSize} + min(row, ${rowSize} - 1u);
${rowOperands(problem)
  .map((name) => each(texels, (e) => `  let ${name}_${e} = ${load(name, 'own', `(headAt + ${e}u)`)};`))
  .join('\n')}
${
  pass.slopes && byQueries
    ? `  let laneAt = ofHead + min(row, dims.queries - 1u);
  let laneLse = lse[laneAt];
  let laneDelta = delta[laneAt];`
    : ''
}
${pass.slopes ? '' : `  var highest = ${LOWEST};\n  var total = 0.0;`}
${each(pass.sums.length, (k) => each(texels, (e) => `  var o${k}_${e} = vec4f();`))}
  for (var block = ${span.begin}; block < ${span.end}; block += ${columns}u) {
${each(columns, (i) => `    let token${i} = columnBase + min(${column(i)}, ${columnSize} - 1u);`)}
${dots}
${pass.slopes ? backward : forward}
${add}
  }
  if (row < ${rowSize}) {
${
  pass.slopes
    ? ''
    : `    lse[ofHead + row] = highest + log(total);
    let share = select(0.0, 1.0 / total, total > 0.0);`
}
${each(pass.sums.length, (k) => each(texels, (e) => `    ${storeResult(problem, k, 'own', `${e}u`, result(k, e), 4)}`))}
  }
}`;
}
