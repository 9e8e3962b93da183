import {
  applyOne,
  at,
  byteLength,
  elementCount,
  type Op,
  type Shape,
  sameShape,
  type Tensor,
  type TensorSpec,
} from '../engine/tensor.js';
import { broadcastShape } from './broadcast.js';
import { canVectorize, compose, type Expression, emitExpression, expressionFlops } from './expression.js';
import { flatGrid } from './grid.js';
import { add, functionGradient } from './pointwise-table.js';
import { sumTo } from './reduce.js';

/**
 * The pointwise family: one op, whose attribute is an expression. A function of the table traces one instruction;
 * the rewriter merges neighbours, so that a chain of them is one pass over memory.
 */
export const pointwiseOp: Op<Expression> = {
  name: 'pointwise',

  infer(inputs, { shape }) {
    broadcastShape('pointwise', [
      ...inputs.filter((input) => input.dtype === 'f32').map((input) => input.shape),
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

  variants: [
    variant('vec4', 4, ({ inputs, shape }) =>
      canVectorize(inputs, shape) ? undefined : 'the last axis is not a multiple of 4',
    ),
    variant('scalar', 1, () => undefined),
  ],
};

function variant(
  name: string,
  width: number,
  unfit: (problem: { inputs: readonly TensorSpec[]; shape: Shape }) => string | undefined,
): Op<Expression>['variants'][number] {
  return {
    name,
    unfit: ({ inputs, attributes }) => unfit({ inputs, shape: attributes.shape }),
    rank: () => 1 / width,
    build({ inputs, attributes }, traits) {
      const count = elementCount(attributes.shape) / width;
      const { code, bindings } = emitExpression(attributes, inputs, width === 4);
      // A GPU coalesces neighbouring lanes; a software adapter streams neighbouring elements of one lane.
      const perLane = traits.kind === 'software' && count >= 4096 ? 4 : 1;
      const grid = flatGrid(Math.ceil(count / perLane), 64, traits);
      const steps = Array.from({ length: perLane }, (_, k) => `store(first + ${k}u);`).join(' ');
      return {
        scratch: [],
        steps: [
          {
            kind: 'dispatch',
            bindings: [
              ...bindings,
              {
                name: 'y',
                operand: { kind: 'output', index: 0 },
                access: 'read_write',
                type: width === 4 ? 'vec4f' : 'f32',
              },
            ],
            workgroups: grid.workgroups,
            code: `${code}${grid.code}
fn store(i: u32) { if (i < ${count}u) { y[i] = value(i); } }
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = flatIndex(group, lane) * ${perLane}u;
  ${steps}
}`,
          },
        ],
      };
    },
  };
}

/** Traces one instruction over broadcast operands. */
export function pointwise(
  fn: Expression['code'][number]['fn'],
  inputs: readonly [Tensor, ...Tensor[]],
  params: readonly number[] = [],
  shape?: Shape,
): Tensor {
  const floats = inputs.filter((input) => input.dtype === 'f32').map((input) => input.shape);
  const distinct = [...new Set(inputs)];
  const code = [{ fn, params, args: inputs.map((input) => distinct.indexOf(input)) }];
  return applyOne(pointwiseOp, distinct as [Tensor, ...Tensor[]], {
    code,
    shape: shape ?? broadcastShape(fn.name, floats),
  });
}

/** Bytes that an expression's operands and result move at least. */
export function expressionBytes(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): number {
  return [...inputs, ...outputs].reduce((sum, spec) => sum + byteLength(spec), 0);
}
