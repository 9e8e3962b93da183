import { ShapeError } from '../../engine/errors.js';
import { type Binding, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { requireVariable } from './flat-update.js';

/**
 * Copies a whole shard of f32 variables, rounded to f16, into another: the parameters' copy, which the kernels of a mixed-precision step read. The
 * optimizer keeps the copy up to date; this fills it at the start and after a resume.
 *
 * @param copy variable of f16, a whole shard @param source f32, as many elements, a multiple of 4
 */
export function copyAsF16(copy: Tensor, source: Tensor): void {
  requireVariable('copyAsF16', 'copy', copy);
  copy.graph.apply(copyAsF16Op, [copy, source], undefined);
}

const copyAsF16Op: Op<undefined> = {
  name: 'copyAsF16',
  mutates: [0],

  infer([copy, source]) {
    const count = elementCount(source?.shape ?? []);
    const fits = copy?.dtype === 'f16' && source?.dtype === 'f32' && elementCount(copy.shape) === count;
    if (!fits || count % 4 !== 0) {
      throw new ShapeError(
        `copyAsF16: ${source && describe(source)} into ${copy && describe(copy)}: wants f32 into as many f16, a multiple of 4`,
      );
    }
    return [];
  },

  flops: () => 0,

  variants: [
    {
      name: 'vec4',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [copy] }, traits) {
        const binding = (name: string, index: number, type: string): Binding => ({
          name,
          operand: { kind: 'input', index },
          access: index === 0 ? 'read_write' : 'read',
          type,
        });
        const step = streamStep(
          {
            count: elementCount(copy?.shape ?? []) / 4,
            bindings: [binding('copy', 0, 'vec4h'), binding('source', 1, 'vec4f')],
            each: 'copy[i] = vec4h(source[i]);',
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
