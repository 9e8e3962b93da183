// @ts-check
/**
 * A process of its own that has Dawn translate WGSL, run by spirv.ts: Dawn prints its SPIR-V to the process's own output
 * (toggle `dump_shaders`), and a driver that crashes takes only this process down. Plain JavaScript, so that it also
 * runs from the sources. The environment names a driver that has what the shaders use.
 *
 * Takes one message, the shaders; answers with one, an error or null for each of them.
 */
import { create, globals } from 'webgpu';

/** @typedef {{ code: string, layout?: GPUBindGroupLayoutDescriptor }} Shader */

Object.assign(globalThis, globals);
// Dawn crashes when it is collected while a device of it lives
const alive = create(['backend=vulkan', 'enable-dawn-features=allow_unsafe_apis,dump_shaders']);

process.once('message', async (/** @type {Shader[]} */ shaders) => {
  const adapter = await alive.requestAdapter();
  if (!adapter) throw new Error('Dawn found no adapter.');
  const { limits, features } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: /** @type {GPUFeatureName[]} */ ([...WANTED].filter((name) => features.has(name))),
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])),
  });
  /** @type {(string | null)[]} */
  const errors = [];
  for (const shader of shaders) errors.push(await translate(device, shader));
  process.send?.(errors, () => process.exit(0));
});

/** @type {Set<string>} */
const WANTED = new Set([
  'subgroups',
  'shader-f16',
  'chromium-experimental-subgroup-matrix',
  'subgroup-size-control',
]);
const LIMITS = /** @type {const} */ ([
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxStorageTexturesPerShaderStage',
  'maxTextureDimension2D',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
]);

/**
 * Makes the pipeline at once, so that what Dawn prints stands in the order of the shaders.
 * @param {GPUDevice} device
 * @param {Shader} shader
 */
async function translate(device, { code, layout }) {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code });
  device.createComputePipeline({
    layout: layout
      ? device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout(layout)] })
      : 'auto',
    compute: { module },
  });
  const error = await device.popErrorScope();
  return error ? error.message : null;
}
