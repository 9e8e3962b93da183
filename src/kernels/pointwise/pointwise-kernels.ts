import {
  at,
  type Binding,
  type DeviceTraits,
  elementCount,
  type Problem,
  type TensorSpec,
  type Variant,
} from '../../engine/graph/tensor.js';
import { flatStep, streamStep, writtenOut } from '../common/grid.js';
import { storageType } from '../common/storage-type.js';
import { canVectorize, type Expression, emitExpression } from './expression.js';
import { emitWalk, walkExtent } from './expression-walk.js';

/** How an expression is evaluated for every element: in fours, one by one, or down the columns. */
export const vec4Variant = elementVariant('vec4', 4, ({ inputs, attributes: { shape } }) =>
  canVectorize(inputs, shape) ? undefined : 'the last axis is not a multiple of 4',
);

export const scalarVariant = elementVariant('scalar', 1, () => undefined);

/**
 * Rows that a lane of the columns variant walks down. A GPU needs the lanes more than the saved loads. Lavapipe and
 * SwiftShader are faster with 32 rows than with 16 or 8 even where that leaves 80 lanes, and with 64 where it leaves
 * enough for all cores.
 */
function walkedRows(rows: number, columns: number, { kind }: Pick<DeviceTraits, 'kind'>): number {
  if (kind === 'gpu') return 8;
  return rows * columns >= 64 * 1024 ? 64 : 32;
}

/** Rows written out in one round of its loop. */
const ROWS_A_ROUND = 2;

/**
 * Each lane stays in one column and walks down the rows. Values that all rows share (a bias, a batch norm's moments) it loads
 * once, and nothing divides an index by the number of columns for each element. On a software adapter, where a load
 * costs the same wherever it comes from, that is most of the cost; a GPU has those loads in its cache.
 *
 * Sample (bias [8] added to [3, 8], down the columns):
 *
 *     let v1 = T(x1[column]);
 *     for (var round = first; round < last; round += 2u) {
 *     { let row = round; let i = row * 2u + column;
 *       let v0 = T(x0[i]);
 *       let v2: T = v0 + v1; y[i] = vec4f(v2); }
 *     { let row = round + 1u; if (row < last) { let i = row * 2u + column;
 *       let v0 = T(x0[i]);
 *       let v2: T = v0 + v1; y[i] = vec4f(v2); } }
 *     }
 */
export const columnsVariant: Variant<Expression> = {
  name: 'columns',
  unfit: ({ inputs, attributes: { shape } }) =>
    walkExtent(inputs, shape) ? undefined : 'no operand is broadcast along rows or columns',
  rank({ inputs, attributes: { shape } }, { kind }) {
    const extent = walkExtent(inputs, shape);
    // Few long rows are better streamed along, unless walking down them saves loads.
    const worthwhile = extent && (extent.sharedRows || extent.columns <= extent.rows);
    return worthwhile ? (kind === 'software' ? 0.1 : 0.5) : 0.9;
  },
  build({ inputs, outputs, attributes }, traits) {
    const vector = canVectorize(inputs, attributes.shape);
    const { rows, columns } = walkExtent(inputs, attributes.shape) ?? { rows: 1, columns: 1 };
    const width = columns / (vector ? 4 : 1);
    const walk = walkedRows(rows, width, traits);
    const { library, prepare, lines, value, bindings } = emitWalk(attributes, inputs, vector);
    const y = resultBinding(outputs, vector ? 4 : 1);
    const step = flatStep(
      {
        count: Math.ceil(rows / walk) * width,
        bindings: [...bindings, y],
        declarations: library,
        body: `let column = id % ${width}u;
  let first = id / ${width}u * ${walk}u;
  let last = min(first + ${walk}u, ${rows}u);
  ${prepare}
  for (var round = first; round < last; round += ${ROWS_A_ROUND}u) {
  ${writtenOut(
    {
      times: ROWS_A_ROUND,
      name: 'row',
      first: 'round',
      step: 1,
      end: rows % ROWS_A_ROUND === 0 ? undefined : 'last',
    },
    `let i = row * ${width}u + column; ${lines} y[i] = ${y.type}(${value});`,
  )}
  }`,
      },
      traits,
    );
    return { scratch: [], steps: [step] };
  },
};

function elementVariant(
  name: string,
  width: 1 | 4,
  unfit: (problem: Problem<Expression>) => string | undefined,
): Variant<Expression> {
  return {
    name,
    unfit,
    rank: () => 1 / width,
    build({ inputs, outputs, attributes }, traits) {
      const { code, bindings } = emitExpression(attributes, inputs, width === 4);
      const y = resultBinding(outputs, width);
      const step = streamStep(
        {
          count: elementCount(attributes.shape) / width,
          bindings: [...bindings, y],
          declarations: code,
          each: `y[i] = ${y.type}(value(i));`,
        },
        traits,
      );
      return { scratch: [], steps: [step] };
    },
  };
}

function resultBinding(outputs: readonly TensorSpec[], width: 1 | 4): Binding {
  return {
    name: 'y',
    operand: { kind: 'output', index: 0 },
    access: 'read_write',
    type: storageType(at(outputs, 0), width),
  };
}
