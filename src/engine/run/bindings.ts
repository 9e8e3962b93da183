import type { Device } from '../device.js';
import { KernelError } from '../errors.js';
import type { Binding, KernelStep, TextureFormat } from '../graph/tensor.js';
import type { Command } from './commands.js';

/** A kernel step as a pipeline with its bind group. */
export async function bindStep(
  device: Device,
  label: string,
  step: KernelStep & { kind: 'dispatch' },
  resources: readonly GPUBindingResource[],
): Promise<Command> {
  const { workgroups } = step;
  if (workgroups.some((count) => count < 1 || count > device.traits.maxWorkgroups)) {
    throw new KernelError(
      `${label}: a grid of [${workgroups}] workgroups is beyond ${device.traits.maxWorkgroups}`,
    );
  }
  const pipeline = await pipelineOf(device, label, step);
  const group = device.gpu.createBindGroup({
    label,
    layout: pipeline.getBindGroupLayout(0),
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });
  return { kind: 'dispatch', pipeline, group, grid: workgroups };
}

/**
 * The pipeline of a kernel step. The WGSL declarations and the layout both follow from the step's list of bindings, so no
 * kernel counts binding numbers.
 */
export function pipelineOf(
  device: Device,
  label: string,
  { bindings, dims, enables: asked, code: body }: KernelStep & { kind: 'dispatch' },
): Promise<GPUComputePipeline> {
  const entries = bindings.map((binding, index) => layoutEntry(binding, index));
  if (dims) {
    entries.push({
      binding: entries.length,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: 'uniform' },
    });
  }
  const enables = new Set(asked);
  if (bindings.some(({ type }) => HALF_TYPES.has(type))) enables.add('f16');
  const code = `${[...enables].map((name) => `enable ${name};\n`).join('')}${declare(bindings, dims)}${body}`;
  return device.createPipeline(label, code, { entries });
}

function layoutEntry(binding: Binding, index: number): GPUBindGroupLayoutEntry {
  const visibility = GPUShaderStage.COMPUTE;
  if (binding.access === 'texture') {
    return {
      binding: index,
      visibility,
      storageTexture: { access: 'read-only', format: textureFormat(binding) },
    };
  }
  const type = binding.access === 'read' ? 'read-only-storage' : 'storage';
  return { binding: index, visibility, buffer: { type } };
}

/** Element types that need WGSL's f16 extension. */
const HALF_TYPES: ReadonlySet<string> = new Set(['f16', 'vec2h', 'vec4h']);

function textureFormat({ type }: Pick<Binding, 'type'>): TextureFormat {
  return type === 'rgba16float' ? type : 'rgba32float';
}

/** The WGSL declarations of a step's bindings and sizes, so that no kernel counts binding numbers or offsets. */
function declare(bindings: readonly Binding[], dims: Readonly<Record<string, number>> | undefined): string {
  const operands = bindings.map(({ name, access, type }, index) =>
    access === 'texture'
      ? `@group(0) @binding(${index}) var ${name}: texture_storage_2d<${textureFormat({ type })}, read>;\n`
      : `@group(0) @binding(${index}) var<storage, ${access}> ${name}: array<${type}>;\n`,
  );
  if (dims) {
    const fields = Object.keys(dims).map((name) => `${name}: u32`);
    operands.push(`struct Dims { ${fields.join(', ')} }\n`);
    operands.push(`@group(0) @binding(${bindings.length}) var<uniform> dims: Dims;\n`);
  }
  return operands.join('');
}
