import { ShapeError } from '../../engine/errors.js';
import { rowAxis } from '../../engine/graph/rows.js';
import {
  applyOne,
  at,
  elementCount,
  type Node,
  type Op,
  type Shape,
  sameShape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { broadcastShape } from './broadcast.js';
import {
  compose,
  type Expression,
  expressionFlops,
  hasRows,
  type Instruction,
  rowsOfExpression,
} from './expression.js';
import type { PointwiseFunction } from './pointwise-function.js';
import { columnsVariant, scalarVariant, vec4Variant } from './pointwise-kernels.js';

/**
 * The pointwise family: one op, whose attribute is an expression. A function of the table traces one instruction;
 * the rewriter merges neighbours, so that a chain of them is one pass over memory.
 */
export const pointwiseOp: Op<Expression> = {
  name: 'pointwise',
  broadcasts: true,

  infer(inputs, { shape }) {
    broadcastShape('pointwise', [
      ...inputs.filter((input) => input.dtype !== 'u32').map((input) => input.shape),
      shape,
    ]);
    return [{ shape, dtype: 'f32' }];
  },

  vjp(node, [gradient]) {
    if (!gradient) return [];
    const { args, fn, params } = tracedInstruction(node);
    const byArgument = (fn as PointwiseFunction).gradient({
      gradient,
      args: args.map((arg) => at(node.inputs, arg)),
      output: at(node.outputs, 0),
      params,
    });
    return node.inputs.map((_, k) => {
      // An operand may be several arguments at once, as in x·x.
      const partials = byArgument.filter((partial, a) => partial && args[a] === k);
      const [first, ...others] = partials.filter((partial) => partial !== undefined);
      return first && others.reduce((total, partial) => pointwise(ADD, [total, partial]), first);
    });
  },

  halves: { inputs: 'all', outputs: 'all' },

  rows: ({ inputs, attributes }) =>
    rowAxis(attributes.shape) === undefined
      ? undefined
      : {
          inputs: inputs.map((input) => hasRows(input, attributes.shape)),
          attributes: (range) => rowsOfExpression(attributes, range),
        },

  flops: ({ outputs: [output], attributes }) =>
    expressionFlops(attributes.code) * elementCount(output?.shape ?? []),

  absorb(consumer, operand, producer, { maxBindings }) {
    if (producer.op !== (pointwiseOp as Op)) return undefined;
    const inner = producer.attributes as Expression;
    if (!sameShape(inner.shape, consumer.attributes.shape)) return undefined;
    const { code, inputs } = compose({ code: consumer.attributes.code, inputs: consumer.inputs }, operand, {
      code: inner.code,
      inputs: producer.inputs,
    });
    if (inputs.length + 1 > maxBindings) return undefined;
    return { op: pointwiseOp as Op, attributes: { code, shape: consumer.attributes.shape }, inputs };
  },

  variants: [vec4Variant, scalarVariant, columnsVariant],
};

/** a + b. It stands here and not in the table, because the gradient of an operand that is used twice is a sum. */
export const ADD: PointwiseFunction = {
  name: 'add',
  wgsl: ([a, b]) => `${a} + ${b}`,
  gradient: ({ gradient }) => [gradient, gradient],
};

/** The one instruction of a node as it was traced. @throws ShapeError where the rewriter has merged several */
function tracedInstruction({ label, attributes: { code } }: Node<Expression>): Instruction {
  const [instruction] = code;
  if (!instruction || code.length !== 1) {
    throw new ShapeError(
      `${label}: several functions were merged into this node, which has no gradient any more: ` +
        'trace gradients before the graph is rewritten',
    );
  }
  return instruction;
}

/** Traces one instruction over broadcast operands. */
export function pointwise(
  fn: Expression['code'][number]['fn'],
  inputs: readonly [Tensor, ...Tensor[]],
  params: readonly number[] = [],
  shape?: Shape,
): Tensor {
  const floats = inputs.filter((input) => input.dtype !== 'u32').map((input) => input.shape);
  const distinct = [...new Set(inputs)];
  const code = [{ fn, params, args: inputs.map((input) => distinct.indexOf(input)) }];
  return applyOne(pointwiseOp, distinct as [Tensor, ...Tensor[]], {
    code,
    shape: shape ?? broadcastShape(fn.name, floats),
  });
}
