import type { DeviceTraits, DType, Kernel, KernelStep, Operand } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';

/**
 * Long sums cut into shares for parallelism: the first steps write `splits` partial results one behind the other, a
 * last one adds them up in order. The order is fixed, so the result has the same bits at every run.
 *
 * @param partials steps that write f32 partial results to the target; of the result's dtype where there is but one share
 */
export function splitSum(
  {
    splits,
    elements,
    traits,
    dtype = 'f32',
  }: { splits: number; elements: number; traits: DeviceTraits; dtype?: DType },
  partials: (target: Operand, dtype: DType) => readonly KernelStep[],
): Kernel {
  const output: Operand = { kind: 'output', index: 0 };
  if (splits === 1) return { scratch: [], steps: partials(output, dtype) };
  const scratch: Operand = { kind: 'scratch', index: 0 };
  return {
    scratch: [{ kind: 'buffer', bytes: splits * elements * 4 }],
    steps: [...partials(scratch, 'f32'), addUp(scratch, output, splits, elements, traits, dtype)],
  };
}

/** output[i] = Σ over splits of partials[split · elements + i], in order. */
export function addUp(
  partials: Operand,
  output: Operand,
  splits: number,
  elements: number,
  traits: DeviceTraits,
  dtype: DType = 'f32',
): KernelStep {
  const vector = elements % 4 === 0;
  const stored = dtype === 'f16' ? (vector ? 'vec4h' : 'f16') : vector ? 'vec4f' : 'f32';
  const count = vector ? elements / 4 : elements;
  return flatStep(
    {
      count,
      bindings: [
        { name: 'partials', operand: partials, access: 'read', type: vector ? 'vec4f' : 'f32' },
        { name: 'total', operand: output, access: 'read_write', type: stored },
      ],
      body: `var sum = partials[id];
  for (var split = 1u; split < ${splits}u; split++) { sum += partials[split * ${count}u + id]; }
  total[id] = ${stored}(sum);`,
    },
    traits,
  );
}
