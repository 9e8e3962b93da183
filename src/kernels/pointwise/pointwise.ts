import {
  applyOne,
  at,
  elementCount,
  type Op,
  type Shape,
  sameShape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { sumTo } from '../reduce/reduce.js';
import { broadcastShape } from './broadcast.js';
import { compose, type Expression, expressionFlops } from './expression.js';
import { columnsVariant, scalarVariant, vec4Variant } from './pointwise-kernels.js';
import { add, functionGradient } from './pointwise-table.js';

/**
 * The pointwise family: one op, whose attribute is an expression. A function of the table traces one instruction;
 * the rewriter merges neighbours, so that a chain of them is one pass over memory.
 */
export const pointwiseOp: Op<Expression> = {
  name: 'pointwise',

  infer(inputs, { shape }) {
    broadcastShape('pointwise', [
      ...inputs.filter((input) => input.dtype !== 'u32').map((input) => input.shape),
      shape,
    ]);
    return [{ shape, dtype: 'f32' }];
  },

  vjp(node, [gradient]) {
    const { code } = node.attributes;
    const [instruction] = code;
    if (!gradient || !instruction || code.length !== 1) return [];
    const byArgument = functionGradient(instruction, {
      gradient,
      args: instruction.args.map((arg) => at(node.inputs, arg)),
      output: at(node.outputs, 0),
    });
    return node.inputs.map((input, k) => {
      // An operand may be several arguments at once, as in x·x.
      const partials = byArgument.filter((partial, a) => partial && instruction.args[a] === k);
      const [first, ...others] = partials.filter((partial) => partial !== undefined);
      return first && sumTo(others.reduce(add, first), input.shape);
    });
  },

  halves: { inputs: 'all', outputs: 'all' },

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
