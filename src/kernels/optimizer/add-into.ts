import { ShapeError } from '../../engine/errors.js';
import { type Binding, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { requireVariable } from './flat-update.js';

/**
 * A store that adds (see `store`): the gradients of several batches come together in one arena before the optimizer
 * looks at them. The value is computed beside the arena and added by a pass of its own, as no dispatch can read and
 * write one buffer under two names.
 *
 * @param value any shape @param target a variable with as many elements
 */
export function addInto(value: Tensor, target: Tensor): void {
  requireVariable('addInto', 'target', target);
  value.graph.apply(addIntoOp, [value, target], undefined);
}

const addIntoOp: Op<undefined> = {
  name: 'addInto',
  mutates: [1],

  infer([value, target]) {
    const fits =
      value?.dtype === 'f32' &&
      target?.dtype === 'f32' &&
      elementCount(value.shape) === elementCount(target.shape);
    if (!fits) {
      throw new ShapeError(`addInto: ${value && describe(value)} to ${target && describe(target)}`);
    }
    return [];
  },

  flops: ({ inputs: [value] }) => elementCount(value?.shape ?? []),
  bytes: ({ inputs: [value] }) => 12 * elementCount(value?.shape ?? []),

  variants: [
    {
      name: 'flat',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [value] }, traits) {
        const elements = elementCount(value?.shape ?? []);
        const width = elements % 4 === 0 ? 4 : 1;
        const bindings = (['value', 'total'] as const).map(
          (name, index): Binding => ({
            name,
            operand: { kind: 'input', index },
            access: name === 'total' ? 'read_write' : 'read',
            type: width === 4 ? 'vec4f' : 'f32',
          }),
        );
        const each = 'total[i] += value[i];';
        return { scratch: [], steps: [streamStep({ count: elements / width, bindings, each }, traits)] };
      },
    },
  ],
};
