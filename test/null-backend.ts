import { create, globals } from 'webgpu';

/**
 * Dawn without any driver: WGSL is checked for syntax, types and the rules of workgroups, subgroup matrices and
 * `@subgroup_size` included. Nothing is compiled further, and no configuration of matrices is asked for.
 */

/** Dawn crashes when it is collected while a device of it lives. */
const alive: GPU[] = [];
let device: Promise<GPUDevice> | undefined;

/** @returns why Dawn refuses a shader and its pipeline; undefined where it takes them */
export async function refusalOf(
  code: string,
  layout?: GPUBindGroupLayoutDescriptor,
): Promise<string | undefined> {
  device ??= open();
  const gpu = await device;
  gpu.pushErrorScope('validation');
  const module = gpu.createShaderModule({ code });
  gpu.createComputePipeline({
    layout: layout
      ? gpu.createPipelineLayout({ bindGroupLayouts: [gpu.createBindGroupLayout(layout)] })
      : 'auto',
    compute: { module },
  });
  return (await gpu.popErrorScope())?.message;
}

async function open(): Promise<GPUDevice> {
  if (!('GPUBufferUsage' in globalThis)) Object.assign(globalThis, globals);
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  alive.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error("Dawn's null backend shows no adapter.");
  const { limits } = adapter;
  return adapter.requestDevice({
    requiredFeatures: [...adapter.features].filter((name) =>
      /^(shader-f16|subgroups|subgroup-size-control|chromium-experimental-subgroup-matrix)$/.test(name),
    ) as GPUFeatureName[],
    requiredLimits: {
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
}
