import { Assembly } from '../../engine/choose/assembly.js';
import {
  at,
  elementCount,
  type Node,
  type Op,
  type Problem,
  type TensorSpec,
  type Variant,
} from '../../engine/graph/tensor.js';
import { type ReduceAttributes, reduceOp } from './reduce.js';

/**
 * Column sums of a matrix that another kernel reads, such as a bias gradient beside the weight gradient: both read dy. Some
 * kernels add them up on the way; behind the others runs the reduction that there would be anyway.
 */

/** Whether a node sums its operand, seen as a matrix of so many columns, over the rows, and does nothing else. */
export function sumsColumns({ op, attributes }: Node, columns: number): boolean {
  if (op !== (reduceOp as Op)) return false;
  const { kind, scale, code, outer, inner } = attributes as ReduceAttributes;
  return kind === 'sum' && scale === 1 && code.length === 0 && outer === 1 && inner === columns;
}

/**
 * A variant that computes output 0, followed by the column sums of input number `matrix` as output 1.
 * @param variant of the op without the sums
 */
export function thenColumnSums<A>(variant: Variant<A>, matrix: number): Variant<A> {
  const own = (problem: Problem<A>): Problem<A> => ({ ...problem, outputs: problem.outputs.slice(0, 1) });
  return {
    ...variant,
    unfit: (problem, traits) => variant.unfit(own(problem), traits),
    rank: (problem, traits) => variant.rank(own(problem), traits),
    build(problem, traits) {
      const sums = columnSumsOf(at(problem.inputs, matrix), at(problem.outputs, 1));
      const ranked = reduceOp.variants.toSorted((a, b) => a.rank(sums, traits) - b.rank(sums, traits));
      const input = problem.inputs.map((_, index) => ({ operand: { kind: 'input', index } as const }));
      const output = problem.outputs.map((_, index) => ({ operand: { kind: 'output', index } as const }));
      const assembly = new Assembly();
      assembly.append(variant.build(own(problem), traits), { input, output });
      assembly.append(at(ranked, 0).build(sums, traits), {
        input: [at(input, matrix)],
        output: [at(output, 1)],
      });
      return { scratch: assembly.scratch, steps: assembly.steps };
    },
  };
}

function columnSumsOf(matrix: TensorSpec, sums: TensorSpec): Problem<ReduceAttributes> {
  const columns = elementCount(sums.shape);
  const size = elementCount(matrix.shape) / columns;
  const attributes: ReduceAttributes = {
    kind: 'sum',
    scale: 1,
    code: [],
    shape: [size, columns],
    outer: 1,
    size,
    inner: columns,
    result: [columns],
    kept: [1, columns],
  };
  return { inputs: [{ ...matrix, shape: [size, columns] }], outputs: [sums], attributes };
}
