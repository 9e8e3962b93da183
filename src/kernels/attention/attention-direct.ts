import type { DeviceTraits, KernelStep } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { literal } from '../pointwise/expression.js';
import type { Rows } from './attention-geometry.js';
import {
  bufferRows,
  extent,
  keyLimit,
  LOWEST,
  otherBindings,
  type PassProblem,
  passDims,
  sizeNames,
  storeResult,
} from './attention-step.js';

/**
 * A pass straight from its formulas: a lane owns a row and walks the columns one by one, its sums in private memory. It
 * runs everything everywhere, slowly: the other kernels are compared with it.
 *
 * For the forward pass over heads of three values, each lane runs (row, n, head and limit are its own)
 *
 *     for (var j = 0u; j < columns; j++) {
 *       if (!(j < limit)) { continue; }
 *       var s = 0.0;
 *       for (var e = 0u; e < 3u; e++) { s += q(row, e) * k(j, e); }
 *       …
 *       for (var e = 0u; e < 3u; e++) { sum0[e] = sum0[e] * shrink + p * v(j, e); }
 *     }
 */
export function directStep(problem: PassProblem, traits: DeviceTraits): KernelStep {
  const { pass, geometry } = problem;
  const { rows } = extent(problem);
  const { n, heads, width, scale, causal } = geometry;
  const loads = bufferRows(problem, 1);
  const byQueries = pass.rowsAre === 'queries';
  const { rowSize, columnSize } = sizeNames(problem);
  const [query, key] = byQueries ? ['row', 'j'] : ['j', 'row'];
  const value = (name: Rows, of: 'row' | 'j') =>
    loads.load(name, `n * ${of === 'row' ? rowSize : columnSize} + ${of}`, `head * ${width}u + e`);
  const each = (body: string) => `for (var e = 0u; e < ${width}u; e++) { ${body} }`;
  const dot = (name: string, { row, column }: { row: Rows; column: Rows }) =>
    `var ${name} = 0.0;\n      ${each(`${name} += ${value(row, 'row')} * ${value(column, 'j')};`)}`;
  const sum = (i: number) => `sum${i}`;
  const seen = `${key} < limit${causal ? ` && ${key} <= ${query}` : ''}`;
  const weights = pass.slopes
    ? `let p = exp(s * ${literal(scale)} - lse[ofHead + ${query}]);
      ${dot('u', pass.slopes)}
      let ds = ${literal(scale)} * p * (u - delta[ofHead + ${query}]);`
    : `let score = s * ${literal(scale)};
      let next = max(highest, score);
      let shrink = exp(highest - next);
      let p = exp(score - next);
      highest = next;
      total = total * shrink + p;`;
  const before = pass.slopes ? '' : ' * shrink';
  const finish = pass.slopes
    ? pass.sums
        .map((_, i) => each(storeResult(problem, i, `n * ${rowSize} + row`, 'e', `${sum(i)}[e]`, 1)))
        .join('\n    ')
    : `lse[ofHead + row] = highest + log(total);
    let share = select(0.0, 1.0 / total, total > 0.0);
    ${each(storeResult(problem, 0, `n * ${rowSize} + row`, 'e', `${sum(0)}[e] * share`, 1))}`;
  return {
    ...flatStep(
      {
        count: n * heads * rows,
        bindings: [...loads.bindings, ...otherBindings(problem, 1)],
        body: `let row = id % ${rowSize};
    let head = id / ${rowSize} % dims.heads;
    let n = id / (${rowSize} * dims.heads);
    let ofHead = (n * dims.heads + head) * dims.queries;
    let limit = ${keyLimit(problem)};
    var highest = ${LOWEST};
    var total = 0.0;
    ${pass.sums.map((_, i) => `var ${sum(i)} = array<f32, ${width}>();`).join('\n    ')}
    for (var j = 0u; j < ${columnSize}; j++) {
      if (!(${seen})) { continue; }
      ${dot('s', pass.scores)}
      ${weights}
      ${pass.sums
        .map(({ weight, column }, i) =>
          each(`${sum(i)}[e] = ${sum(i)}[e]${before} + ${weight} * ${value(column, 'j')};`),
        )
        .join('\n      ')}
    }
    ${finish}`,
      },
      traits,
    ),
    dims: passDims(problem, 1),
  } as KernelStep;
}
