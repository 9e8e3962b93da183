import { Device } from '../../engine/device.js';
import { AdapterError } from '../../engine/errors.js';
import { MATRIX_FEATURES } from '../../engine/matrix-shapes.js';
import { measureResidentGroups } from '../../engine/resident-groups.js';
import { keptFacts } from './adapter-memory.js';
import { openAdapter } from './open-adapter.js';
import { throttledWait, throttleFor } from './throttled-wait.js';

/**
 * node's `openDevice`: finds an adapter, asks for everything it offers, and waits in a way that leaves the
 * cores to those that need them.
 */
export interface OpenDeviceOptions {
  /** `gpu`, `lavapipe`, `swiftshader` or a part of the adapter's description; default: TAILRAY_ADAPTER, else the best. */
  readonly adapter?: string | undefined;
  /**
   * Asks for the matrix units of a GPU, an experimental feature of WebGPU (docs/training.md); default: whether
   * TAILRAY_MATRICES is `on`. Without them, and where the adapter has none, nothing changes.
   */
  readonly matrices?: boolean | undefined;
}

/** Optional WebGPU features the engine makes use of where they exist. */
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query'];

/** @throws AdapterError when no adapter fits */
export async function openDevice(options: OpenDeviceOptions = {}): Promise<Device> {
  const matrices = options.matrices ?? matricesAsked();
  const { adapter, report } = await openAdapter(options.adapter, { experimental: matrices });
  const features = matrices ? [...FEATURES, ...MATRIX_FEATURES] : FEATURES;
  const { limits } = adapter;
  const gpu = await adapter.requestDevice({
    // types that know no experimental feature
    requiredFeatures: features.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxStorageTexturesPerShaderStage: limits.maxStorageTexturesPerShaderStage,
      maxTextureDimension2D: limits.maxTextureDimension2D,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  const wait = throttledWait(throttleFor(report.kind));
  const { kind } = report;
  // So that what a GPU would run can be tested where there is none.
  const asGpu = kind === 'gpu' || process.env.TAILRAY_RULES === 'gpu';
  const device = new Device(gpu, adapter.info, { kind, asGpu, wait });
  if (kind !== 'gpu') return device;
  const facts = await keptFacts({ device: device.description }, async () => ({
    residentGroups: await measureResidentGroups(device),
  }));
  return facts ? new Device(gpu, adapter.info, { kind, asGpu, wait, ...facts }) : device;
}

/** @throws AdapterError for a value with no meaning */
function matricesAsked(asked = process.env.TAILRAY_MATRICES ?? ''): boolean {
  if (!['', 'on', 'off'].includes(asked)) {
    throw new AdapterError(`TAILRAY_MATRICES is "${asked}": give on or off.`);
  }
  return asked === 'on';
}
