import type { DeviceTraits, Kernel, KernelStep, Operand } from '../engine/tensor.js';
import { flatGrid } from './grid.js';

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
  const grid = flatGrid(count, 64, traits);
  return {
    kind: 'dispatch',
    bindings: [
      { name: 'partials', operand: partials, access: 'read', type },
      { name: 'total', operand: output, access: 'read_write', type },
    ],
    workgroups: grid.workgroups,
    code: `${grid.code}
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flatIndex(group, lane);
  if (i >= ${count}u) { return; }
  var sum = partials[i];
  for (var split = 1u; split < ${splits}u; split++) { sum += partials[split * ${count}u + i]; }
  total[i] = sum;
}`,
  };
}
