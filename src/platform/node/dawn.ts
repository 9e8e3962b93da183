import { AdapterError } from '../../engine/errors.js';

/**
 * The one door to Dawn, the WebGPU implementation that the npm package `webgpu` carries for node: loading it, its
 * globals, and keeping alive what must not be collected.
 */

/** NVIDIA's f16 is off in Dawn unless asked for. */
const FEATURES = 'enable-dawn-features=vulkan_enable_f16_on_nvidia';
/** Without quantisation a timestamp tells nanoseconds. */
const TOGGLES = ['disable-dawn-features=timestamp_quantization'];

/** Dawn crashes the process when one of these is collected while a device of it lives, so they are never let go. */
const alive: GPU[] = [];

/**
 * A new WebGPU entry point. Its drivers are looked for at the first `requestAdapter`, not here.
 * @param adapterName only consider adapters whose device name contains this (case-sensitive, as Dawn compares)
 * @param experimental adapters show features that WebGPU does not have yet, too
 * @throws AdapterError when Dawn's binary cannot be loaded on this system
 */
export async function createGpu(adapterName?: string, experimental = false): Promise<GPU> {
  const { create } = await loadDawn();
  const options = [...TOGGLES, experimental ? `${FEATURES},allow_unsafe_apis` : FEATURES];
  if (process.platform === 'linux') options.push('backend=vulkan');
  if (adapterName !== undefined) options.push(`adapter=${adapterName}`);
  const gpu = create(options);
  alive.push(gpu);
  return gpu;
}

/**
 * The names of all devices that Dawn accepts, as `createGpu` takes them. Dawn tells them only in the error that it
 * gives when a name fits none.
 */
export async function deviceNames(): Promise<string[]> {
  const gpu = await createGpu('no device is called this');
  try {
    await gpu.requestAdapter();
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [...new Set(Array.from(message.matchAll(/, name: '(.*)'$/gm), ([, name]) => name ?? ''))];
  }
}

/**
 * Defines WebGPU's classes and constants (`GPUBufferUsage`, `GPUMapMode`, …) on `globalThis`, where browsers have them.
 * `openAdapter` does it; code that only needs the constants may call it alone. Doing it twice changes nothing.
 */
export async function nodeGpuGlobals(): Promise<void> {
  await loadDawn();
}

async function loadDawn(): Promise<typeof import('webgpu')> {
  let dawn: typeof import('webgpu');
  try {
    dawn = await import('webgpu');
  } catch (cause) {
    throw new AdapterError(
      `WebGPU cannot be loaded on ${process.platform}-${process.arch}: ${firstLine(cause)}. ` +
        'The npm package webgpu has binaries for Linux (glibc 2.34 or newer), macOS and Windows on x64 and arm64.',
      { cause },
    );
  }
  if (!('GPUBufferUsage' in globalThis)) Object.assign(globalThis, dawn.globals);
  return dawn;
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
}
