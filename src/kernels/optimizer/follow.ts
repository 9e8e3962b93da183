import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { ShapeError } from '../../engine/errors.js';
import { type Binding, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { requireVariable } from './flat-update.js';

/**
 * Following a value with a running average, in place: batch norm's running statistics after the observed ones, or an
 * average of weights that no optimizer touches.
 */
const followOp: Op<{ readonly gated: boolean }> = {
  name: 'follow',
  mutates: [0],

  infer([target, source, weight, gate], { gated }) {
    const fits =
      target &&
      source &&
      weight &&
      elementCount(target.shape) === elementCount(source.shape) &&
      elementCount(weight.shape) === 1 &&
      [target, source, weight].every(({ dtype }) => dtype === 'f32');
    if (!fits) {
      throw new ShapeError(
        `follow: target ${target && describe(target)}, source ${source && describe(source)}, ` +
          `weight ${weight && describe(weight)}: wants two f32 operands of one size and a single weight`,
      );
    }
    if (gated && (!gate || elementCount(gate.shape) !== 1 || gate.dtype !== 'f32')) {
      throw new ShapeError(`follow: the gate must be one f32, got ${gate && describe(gate)}`);
    }
    return [];
  },

  flops: ({ inputs: [target] }) => 3 * elementCount(target?.shape ?? []),
  bytes: ({ inputs: [target] }) => 12 * elementCount(target?.shape ?? []),

  variants: [
    {
      name: 'flat',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [target], attributes: { gated } }, traits) {
        const elements = elementCount(target?.shape ?? []);
        const width = elements % 4 === 0 ? 4 : 1;
        const type = width === 4 ? 'vec4f' : 'f32';
        const names = ['followed', 'source', 'weight', ...(gated ? ['gate'] : [])];
        const bindings = names.map(
          (name, index): Binding => ({
            name,
            operand: { kind: 'input', index },
            access: index === 0 ? 'read_write' : 'read',
            type: index < 2 ? type : 'f32',
          }),
        );
        const prepare = wgsl`
#if ${gated}
  if (gate[0] < 0.0) { return; }
#endif
  let w = weight[0];`;
        const each = 'followed[i] += w * (source[i] - followed[i]);';
        const count = elements / width;
        return { scratch: [], steps: [streamStep({ count, bindings, prepare, each }, traits)] };
      },
    },
  ],
};

/**
 * target ← target + weight·(source − target), in place.
 *
 * @param target a variable: a named range or a whole shard @param source as many elements, in another arena
 * @param weight in [0, 1]; a number, or a [1] tensor where it changes between runs
 * @param gate [1]: negative leaves the target untouched; the clip factor of a step with infinite or NaN gradients is
 */
export function follow(target: Tensor, source: Tensor, weight: Tensor | number, gate?: Tensor): void {
  requireVariable('follow', 'target', target);
  const { graph } = target;
  const weightTensor = typeof weight === 'number' ? graph.constant(Float32Array.of(weight), [1]) : weight;
  graph.apply(followOp, [target, source, weightTensor, ...(gate ? [gate] : [])], {
    gated: gate !== undefined,
  });
}
