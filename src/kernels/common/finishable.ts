import { rowsShape } from '../../engine/graph/rows.js';
import {
  at,
  elementCount,
  type Fused,
  type Node,
  type Op,
  type Problem,
  type Shape,
  sameShape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { compose, type Expression, expressionFlops } from '../pointwise/expression.js';
import { pointwiseOp } from '../pointwise/pointwise.js';
import { reshapeOp } from '../shape/reshape.js';
import { canFinish, epilogueOf, type FinishingExpression, isDense, isFinishing } from './epilogue.js';

/** An op, and the work on its result on the way to memory. */
interface Finished<A> {
  readonly attributes: A;
  /** How many inputs are the op's own; the others are the epilogue's. */
  readonly arity: number;
  /** Of the result before the epilogue, which may see it under another shape. */
  readonly result: Shape;
  readonly epilogue: FinishingExpression;
}

/**
 * Lets the rewriter put the pointwise ops behind an op (and a reshape before them) into the op's own kernel. The
 * merged op has the op's name and variants, and can take in further ops.
 *
 * @param op of one output; its variants that cannot end with an epilogue do not run once it has one
 */
export function finishable<A>(op: Op<A>): Op<A> {
  const finished: Op<Finished<A>> = {
    name: op.name,
    infer: (_, { epilogue }) => [{ shape: epilogue.shape, dtype: 'f32' }],
    flops: (problem) =>
      op.flops(ownProblem(problem)) +
      expressionFlops(problem.attributes.epilogue.code) * elementCount(problem.attributes.epilogue.shape),
    ...(op.halves && { halves: { ...op.halves, inputs: 'all' } }),
    rows(problem) {
      const { attributes, inputs } = problem;
      const { arity, result, epilogue } = attributes;
      const own = op.rows?.(ownProblem(problem));
      if (!own || own.merge) return undefined;
      const extras = inputs.slice(arity).map((extra) => isDense(extra, epilogue.shape));
      return {
        inputs: [...own.inputs, ...extras],
        attributes: (range) => ({
          ...attributes,
          attributes: own.attributes(range),
          result: rowsShape(result, range),
          epilogue: { ...epilogue, shape: rowsShape(epilogue.shape, range) },
        }),
      };
    },
    absorb: ({ attributes: state, inputs }, operand, producer, limits) =>
      absorbOperand(finished, { state, inputs }, operand, producer, limits),
    finishWith: ({ attributes: state, inputs }, consumer, operand, limits) =>
      absorbConsumer(finished, { state, inputs }, consumer, operand, limits),
    variants: op.variants.filter(isFinishing).map((variant) => ({
      name: variant.name,
      ...(variant.family && { family: variant.family }),
      ...(variant.optIn && { optIn: true }),
      unfit: (problem, traits) => variant.unfit(ownProblem(problem), traits),
      rank: (problem, traits) => variant.rank(ownProblem(problem), traits),
      build(problem, traits) {
        const { epilogue, arity } = problem.attributes;
        const operands = problem.inputs.slice(arity);
        return variant.build(ownProblem(problem), traits, epilogueOf(epilogue, operands, arity));
      },
    })),
  };
  return {
    ...op,
    finishWith(producer, consumer, operand, limits) {
      const { attributes, inputs, outputs } = producer;
      const { shape } = at(outputs, 0);
      const epilogue = { code: [], shape, resultAt: 0 };
      const state = { attributes, arity: inputs.length, result: shape, epilogue };
      return absorbConsumer(finished, { state, inputs }, consumer, operand, limits);
    },
  };
}

/** The problem of the op itself, without the epilogue. */
function ownProblem<A>({ inputs, outputs, attributes: own }: Problem<Finished<A>>): Problem<A> {
  return {
    inputs: inputs.slice(0, own.arity),
    outputs: outputs.map((output) => ({ ...output, shape: own.result })),
    attributes: own.attributes,
  };
}

/** A node that ends as `state` says, and its inputs. */
interface FinishedNode<A> {
  readonly state: Finished<A>;
  readonly inputs: readonly Tensor[];
}

/** Operands of an epilogue as it is composed. */
type Composed = Tensor | 'result';

/** The producer with `consumer` as its last work. */
function absorbConsumer<A>(
  op: Op<Finished<A>>,
  { state, inputs }: FinishedNode<A>,
  consumer: Node,
  operand: number,
  limits: { maxBindings: number },
): Fused | undefined {
  const { result, epilogue } = state;
  if (consumer.op === (reshapeOp as Op)) {
    const { shape } = at(consumer.outputs, 0);
    // A row of the result stays a row of it.
    if (shape.at(-1) !== result.at(-1)) return undefined;
    const attributes: Finished<A> = { ...state, epilogue: { ...epilogue, shape } };
    return { op: op as Op, attributes, inputs };
  }
  if (consumer.op !== (pointwiseOp as Op)) return undefined;
  const outer = consumer.attributes as Expression;
  if (!sameShape(epilogue.shape, outer.shape)) return undefined;
  const inner = { code: epilogue.code, inputs: operandsOf({ state, inputs }) };
  const composed = compose<Composed>({ code: outer.code, inputs: consumer.inputs }, operand, inner);
  return withEpilogue(op, { state, inputs }, composed, limits);
}

/** `consumer` with the pointwise op `producer` of its input number `operand` drawn into its epilogue. */
function absorbOperand<A>(
  op: Op<Finished<A>>,
  consumer: FinishedNode<A>,
  operand: number,
  producer: Node,
  limits: { maxBindings: number },
): Fused | undefined {
  const { arity, epilogue } = consumer.state;
  if (operand < arity || producer.op !== (pointwiseOp as Op)) return undefined;
  const inner = producer.attributes as Expression;
  if (!sameShape(inner.shape, epilogue.shape)) return undefined;
  const operands = operandsOf(consumer);
  const composed = compose<Composed>(
    { code: epilogue.code, inputs: operands },
    operands.indexOf(at(consumer.inputs, operand)),
    { code: inner.code, inputs: producer.inputs },
  );
  return withEpilogue(op, consumer, composed, limits);
}

/** The operands of an epilogue in its own numbering. */
function operandsOf<A>({ state: { arity, epilogue }, inputs }: FinishedNode<A>): Composed[] {
  const operands: Composed[] = inputs.slice(arity);
  operands.splice(epilogue.resultAt, 0, 'result');
  return operands;
}

function withEpilogue<A>(
  op: Op<Finished<A>>,
  { state, inputs }: FinishedNode<A>,
  composed: { code: Expression['code']; inputs: readonly Composed[] },
  { maxBindings }: { maxBindings: number },
): Fused | undefined {
  const { arity, result, epilogue } = state;
  const extras = composed.inputs.filter((input) => input !== 'result');
  // The result is one binding more.
  if (arity + extras.length + 1 > maxBindings) return undefined;
  if (!extras.every((extra) => canFinish(extra, result))) return undefined;
  const resultAt = composed.inputs.indexOf('result');
  const attributes: Finished<A> = { ...state, epilogue: { ...epilogue, code: composed.code, resultAt } };
  return { op: op as Op, attributes, inputs: [...inputs.slice(0, arity), ...extras] };
}
