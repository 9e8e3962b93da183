import type { Device } from '../../../src/engine/device.js';
import {
  at,
  byteLength,
  elementCount,
  type Kernel,
  type KernelStep,
  type Operand,
  type TensorSpec,
} from '../../../src/engine/graph/tensor.js';
import { bindStep } from '../../../src/engine/run/bindings.js';
import { DimsBuffer } from '../../../src/engine/run/dims-buffer.js';

export interface KernelInput extends TensorSpec {
  readonly values: Float32Array;
}

/** Runs one kernel over operands that are stored as their specs say, without an engine around it. */
export async function runKernel(
  device: Device,
  kernel: Kernel,
  inputs: readonly KernelInput[],
  outputs: readonly TensorSpec[],
): Promise<Float32Array[]> {
  const { gpu } = device;
  const sizes = await DimsBuffer.create(device, Math.max(256, DimsBuffer.bytesFor([kernel])));
  const buffers = {
    input: await Promise.all(inputs.map((spec, i) => device.createBuffer(`input ${i}`, byteLength(spec)))),
    output: await Promise.all(outputs.map((spec, i) => device.createBuffer(`output ${i}`, byteLength(spec)))),
    scratch: await Promise.all(
      kernel.scratch.map((scratch, i) => {
        if (scratch.kind !== 'buffer') throw new Error('only buffers');
        return device.createBuffer(`scratch ${i}`, scratch.bytes);
      }),
    ),
  };
  for (const [i, { dtype, values }] of inputs.entries()) {
    device.write(at(buffers.input, i), 0, dtype === 'f16' ? packed(values) : values);
  }
  const resource = ({ kind, index }: Operand) => ({ buffer: at(buffers[kind], index) });
  const steps = kernel.steps.filter(
    (step): step is KernelStep & { kind: 'dispatch' } => step.kind === 'dispatch',
  );
  const commands = [];
  for (const step of steps) {
    const resources: GPUBindingResource[] = step.bindings.map(({ operand }) => resource(operand));
    if (step.dims) resources.push(sizes.add(step.dims));
    commands.push(await bindStep(device, 'kernel', step, resources));
  }
  sizes.upload();
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const command of commands) {
    if (command.kind !== 'dispatch') continue;
    pass.setPipeline(command.pipeline);
    pass.setBindGroup(0, command.group);
    pass.dispatchWorkgroups(...command.grid);
  }
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  const results: Float32Array[] = [];
  for (const [i, { shape, dtype }] of outputs.entries()) {
    const bytes = await device.read(at(buffers.output, i), 0, byteLength({ shape, dtype }));
    const count = elementCount(shape);
    results.push(
      dtype === 'f16' ? unpacked(new Uint16Array(bytes, 0, count)) : new Float32Array(bytes, 0, count),
    );
  }
  for (const buffer of [...Object.values(buffers).flat(), sizes.buffer]) buffer.destroy();
  return results;
}

/** Nearest f16, ties to even, as f32; 0 for what would be subnormal. */
export function toHalf(value: number): number {
  if (Math.abs(value) < 2 ** -14) return 0;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10);
  const steps = value / step;
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return (up ? floor + 1 : floor) * step;
}

/** Bits of values that are f16 already. */
function packed(values: Float32Array): Uint32Array {
  const bits = new Uint16Array(Math.ceil(values.length / 2) * 2);
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  for (const [i, value] of values.entries()) {
    if (value === 0) continue;
    float[0] = value;
    const exponent = ((at(word, 0) >>> 23) & 255) - 112;
    bits[i] = ((at(word, 0) >>> 16) & 0x8000) | (exponent << 10) | ((at(word, 0) >>> 13) & 1023);
  }
  return new Uint32Array(bits.buffer);
}

function unpacked(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, (half) => {
    const exponent = (half >>> 10) & 31;
    const size =
      exponent === 0 ? (half & 1023) * 2 ** -24 : (1 + (half & 1023) / 1024) * 2 ** (exponent - 15);
    return half & 0x8000 ? -size : size;
  });
}
