import { type Binding, elementCount, type Problem, type Variant } from '../engine/tensor.js';
import { canVectorize, type Expression, emitColumn, emitExpression, rowsAndColumns } from './expression.js';
import { flatStep } from './grid.js';

/** How an expression is evaluated for every element: in fours, one by one, or down the columns. */
export const vec4Variant = elementVariant('vec4', 4, ({ inputs, attributes: { shape } }) =>
  canVectorize(inputs, shape) ? undefined : 'the last axis is not a multiple of 4',
);

export const scalarVariant = elementVariant('scalar', 1, () => undefined);

/** Rows that a lane of the columns variant walks down. */
const ROWS = 16;

/**
 * Each lane stays in one column and loads what all rows share (a bias, a batch norm's moments) once. On a software
 * adapter, where a load costs the same wherever it comes from, that is most of the loads; a GPU has them in its cache.
 */
export const columnsVariant: Variant<Expression> = {
  name: 'columns',
  unfit: ({ inputs, attributes: { shape } }) =>
    rowsAndColumns(inputs, shape) ? undefined : 'no operand is one row for all rows',
  rank: (_problem, { kind }) => (kind === 'software' ? 0.1 : 0.5),
  build({ inputs, attributes }, traits) {
    const vector = canVectorize(inputs, attributes.shape);
    const size = rowsAndColumns(inputs, attributes.shape) ?? { rows: 1, columns: 1 };
    const columns = size.columns / (vector ? 4 : 1);
    const lanes = Math.ceil(size.rows / ROWS) * columns;
    const { library, prepare, lines, value, bindings } = emitColumn(attributes, inputs, vector);
    const step = flatStep(
      {
        count: lanes,
        bindings: [...bindings, result(vector)],
        declarations: library,
        body: `let column = id % ${columns}u;
  let first = id / ${columns}u * ${ROWS}u;
  ${prepare}
  for (var row = first; row < min(first + ${ROWS}u, ${size.rows}u); row++) {
    let i = row * ${columns}u + column;
    ${lines}
    y[i] = ${value};
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
    build({ inputs, attributes }, traits) {
      const count = elementCount(attributes.shape) / width;
      const { code, bindings } = emitExpression(attributes, inputs, width === 4);
      // A GPU coalesces neighbouring lanes; a software adapter streams neighbouring elements of one lane.
      const perLane = traits.kind === 'software' && count >= 4096 ? 4 : 1;
      const step = flatStep(
        {
          count: Math.ceil(count / perLane),
          bindings: [...bindings, result(width === 4)],
          declarations: `${code}fn store(i: u32) { if (i < ${count}u) { y[i] = value(i); } }`,
          body: Array.from({ length: perLane }, (_, k) => `store(id * ${perLane}u + ${k}u);`).join(' '),
        },
        traits,
      );
      return { scratch: [], steps: [step] };
    },
  };
}

function result(vector: boolean): Binding {
  const type = vector ? 'vec4f' : 'f32';
  return { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type };
}
