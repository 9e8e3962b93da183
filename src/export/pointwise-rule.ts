import type { Node, Tensor } from '../engine/graph/tensor.js';
import type { Expression } from '../kernels/pointwise/expression.js';
import { ExportError } from './export-error.js';
import { FUNCTION_RULES } from './function-rules.js';
import { inOrder, sameOrder, type Translation } from './translation.js';

/** Element-wise ops over operands that broadcast, in whatever order of axes the operands lie. */
export function pointwiseRule(
  { inputs, outputs: [result], attributes, label }: Node<Expression>,
  to: Translation,
): void {
  if (!result) return;
  const axes = orderOf(inputs, result, to);
  const names = inputs.map((input) => broadcastable(input, axes, to));
  for (const { fn, args, params } of attributes.code) {
    const rule = FUNCTION_RULES[fn.name];
    if (!rule) {
      throw new ExportError(
        `${label}: the function "${fn.name}" has no ONNX form: function-rules.ts needs a row for it.`,
      );
    }
    names.push(
      rule(
        to,
        args.map((arg) => names[arg] ?? ''),
        params,
      ),
    );
  }
  to.set(result, expanded(names.at(-1) ?? '', inputs, result, axes, to), axes);
}

/**
 * The order in which to compute: that of an operand that lies in another order than ours and is as large as the result,
 * so that the large ones stay where they are. Operands of a lower rank (other than vectors over the last axis) have no
 * place in another order: with such, ours.
 */
function orderOf(inputs: readonly Tensor[], result: Tensor, to: Translation): readonly number[] {
  const own = inOrder(result);
  const rank = result.shape.length;
  if (inputs.some(({ shape }) => shape.length > 1 && shape.length < rank)) return own;
  const large = inputs.filter(
    (input) => input.shape.length === rank && own.every((d) => to.sizes.same(input, d, result, d)),
  );
  return large.map((input) => to.stored(input).axes).find((axes) => !sameOrder(axes, own)) ?? own;
}

/** Name of an operand in a form that broadcasts, by NumPy's rules, to a result whose axes lie as in `axes`. */
function broadcastable(input: Tensor, axes: readonly number[], to: Translation): string {
  const rank = axes.length;
  if (input.dtype !== 'f32')
    throw new ExportError(`an operand of ${to.scope} is ${input.dtype}: only training has those.`);
  if (input.shape.length === rank) return to.ordered(input, axes);
  const name = to.ordered(input);
  // A vector belongs to the last of our axes: behind it there must be as many ones as axes lie behind that.
  const behind = rank - 1 - axes.indexOf(rank - 1);
  if (input.shape.length !== 1 || behind === 0) return name;
  return to.emit('Unsqueeze', [name, to.integers(Array.from({ length: behind }, (_, i) => i + 1))]);
}

/** The value spread to the result's shape, where the operands themselves do not reach it. */
function expanded(
  name: string,
  inputs: readonly Tensor[],
  result: Tensor,
  axes: readonly number[],
  to: Translation,
): string {
  const reached = axes.map((axis) =>
    inputs.some((input) => {
      const own = axis - result.shape.length + input.shape.length;
      return own >= 0 && to.sizes.same(input, own, result, axis);
    }),
  );
  if (reached.every(Boolean)) return name;
  // 1 leaves an axis as long as it is
  return to.emit('Expand', [name, to.shape(result, axes, (axis) => reached[axes.indexOf(axis)] === true)]);
}
