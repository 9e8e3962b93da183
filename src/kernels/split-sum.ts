import type { DeviceTraits, Kernel, KernelStep, Operand } from '../engine/tensor.js';
import { flatStep } from './grid.js';

/**
 * Long sums cut into shares for parallelism: the first step writes `splits` partial results one behind the other, a
 * second adds them up in order. The order is fixed, so the result has the same bits at every run.
 */
export function splitSum(
  { splits, elements, traits }: { splits: number; elements: number; traits: DeviceTraits },
  partials: (target: Operand) => KernelStep,
): Kernel {
  const output: Operand = { kind: 'output', index: 0 };
  if (splits === 1) return { scratch: [], steps: [partials(output)] };
  const scratch: Operand = { kind: 'scratch', index: 0 };
  return {
    scratch: [{ kind: 'buffer', bytes: splits * elements * 4 }],
    steps: [partials(scratch), addUp(scratch, output, splits, elements, traits)],
  };
}

/** output[i] = Σ over splits of partials[split · elements + i], in order. */
export function addUp(
  partials: Operand,
  output: Operand,
  splits: number,
  elements: number,
  traits: DeviceTraits,
): KernelStep {
  const width = elements % 4 === 0 ? 4 : 1;
  const type = width === 4 ? 'vec4f' : 'f32';
  const count = elements / width;
  return flatStep(
    {
      count,
      bindings: [
        { name: 'partials', operand: partials, access: 'read', type },
        { name: 'total', operand: output, access: 'read_write', type },
      ],
      body: `var sum = partials[id];
  for (var split = 1u; split < ${splits}u; split++) { sum += partials[split * ${count}u + id]; }
  total[id] = sum;`,
    },
    traits,
  );
}
