// @ts-check
/**
 * A process of its own that has Dawn translate WGSL, run by spirv.ts: Dawn prints its SPIR-V to the process's own output
 * (toggle `dump_shaders`), and a driver that crashes takes only this process down. Plain JavaScript, so that it also
 * runs from the sources. The environment names a driver that has what the shaders use.
 *
 * Takes one message, the task; answers with one, an error or null for each of its shaders.
 */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { create, globals } from 'webgpu';

/**
 * @typedef {{ code: string, layout?: GPUBindGroupLayoutDescriptor }} Shader
 * @typedef {{ library: string, offset: number }} Place
 * @typedef {{ shaders: Shader[], silenced: Place[] }} Task
 */

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
/** Machine code of a function that returns 0, VK_SUCCESS. */
const RETURN_SUCCESS = /** @type {Record<string, number[]>} */ ({
  x64: [0x31, 0xc0, 0xc3],
  arm64: [0xe0, 0x03, 0x1f, 0x2a, 0xc0, 0x03, 0x5f, 0xd6],
});
const PAGE = 4096n;
const READ_WRITE_EXECUTE = 7;

Object.assign(globalThis, globals);
/** @type {GPU[]} Dawn crashes when one of these is collected while a device of it lives. */
const alive = [];

process.once('message', async (/** @type {Task} */ { shaders, silenced }) => {
  for (const place of silenced) silence(place);
  const gpu = create(['backend=vulkan', 'enable-dawn-features=allow_unsafe_apis,dump_shaders']);
  alive.push(gpu);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('Dawn found no adapter.');
  const { limits, features } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: /** @type {GPUFeatureName[]} */ ([...WANTED].filter((name) => features.has(name))),
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, limits[name]])),
  });
  /** @type {(string | null)[]} */
  const errors = [];
  for (const shader of shaders) errors.push(await translate(device, shader));
  // Dawn takes its device down in a proper exit, which a driver without hardware does not survive
  process.stdout.write('', () => process.send?.(errors, () => process.kill(process.pid, 'SIGKILL')));
});

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

/**
 * Makes a driver's function do nothing, in this process's memory. RADV's null device crashes where commands are recorded,
 * and Dawn begins to record as soon as it opens a device, although nothing but pipelines is wanted.
 * @param {Place} place
 */
function silence({ library, offset }) {
  const code = RETURN_SUCCESS[process.arch];
  if (!code)
    throw new Error(`subgroup matrices can be translated on x64 and arm64, and this is ${process.arch}.`);
  koffi.load(library);
  const first = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((line) => line.endsWith(library));
  const address = BigInt(`0x${first?.split('-')[0]}`) + BigInt(offset);
  const protect = koffi.load('libc.so.6').func('mprotect', 'int', ['uintptr_t', 'size_t', 'int']);
  if (protect(address - (address % PAGE), Number(2n * PAGE), READ_WRITE_EXECUTE) !== 0) {
    throw new Error('this system does not let a process change its own code.');
  }
  new Uint8Array(koffi.view(address, code.length)).set(code);
}
