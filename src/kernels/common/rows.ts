import type { Problem, RowCut, RowRange, TensorSpec } from '../../engine/graph/tensor.js';

/**
 * Rows of an op that does the same for each entry of its operands' first axis, such as each image: the cut of most ops.
 * @param inputs which of the inputs have that axis in step with the outputs
 * @param attributes of so many entries; absent: they do not depend on it
 * @returns undefined where there is a single entry
 */
export function byFirstAxis<A>(
  problem: Problem<A>,
  inputs: readonly boolean[],
  attributes: (range: RowRange) => A = () => problem.attributes,
): RowCut<A> | undefined {
  const alone = ({ shape: [size = 1] }: TensorSpec) => size === 1;
  return problem.inputs.some((input, i) => inputs[i] && alone(input)) ? undefined : { inputs, attributes };
}
