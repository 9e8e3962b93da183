import type { DeviceTraits } from '../src/engine/graph/tensor.js';

/** GPUs as WebGPU shows them, for plans: limits and features by their vendors' documents and Dawn's adapters. */

const LIMITS: Omit<DeviceTraits, 'maxBindingBytes' | 'maxBufferBytes' | 'subgroupSize' | 'residentGroups'> = {
  kind: 'gpu',
  adapter: 'gpu',
  maxBindings: 10,
  maxTextureSide: 16384,
  maxWorkgroupBytes: 32768,
  maxInvocations: 1024,
  maxWorkgroups: 65535,
  bindingAlignment: 256,
  f16: true,
  matrices: [],
};

const GIB = 2 ** 30;

/** 132 units with room for 2,048 lanes each; Dawn binds 2 GiB on NVIDIA. */
export const H100: DeviceTraits = {
  ...LIMITS,
  subgroupSize: 32,
  maxBindingBytes: 2 * GIB - 4,
  maxBufferBytes: 2 * GIB - 4,
  maxWorkgroupBytes: 49152,
  residentGroups: 132 * 8,
};

/** Ten cores; workgroup memory lets two workgroups of 16 KiB onto each. */
export const M2: DeviceTraits = {
  ...LIMITS,
  subgroupSize: 32,
  maxBindingBytes: 4 * GIB - 4,
  maxBufferBytes: 4 * GIB - 4,
  residentGroups: 10 * 2,
};

/** Radeon RX 7900: 48 work group processors with 128 KiB of workgroup memory each; subgroups of 32 or 64. */
export const RDNA3: DeviceTraits = {
  ...LIMITS,
  subgroupSize: 0,
  maxBindingBytes: 4 * GIB - 4,
  maxBufferBytes: 4 * GIB - 4,
  maxWorkgroupBytes: 65536,
  residentGroups: 48 * 8,
};

/** Arc B580: 20 Xe cores; subgroups of 16 or 32. */
export const ARC: DeviceTraits = {
  ...LIMITS,
  subgroupSize: 0,
  maxBindingBytes: GIB,
  maxBufferBytes: GIB,
  residentGroups: 20 * 4,
};

/** An integrated GPU with WebGPU's guaranteed limits and nothing more. */
export const INTEGRATED: DeviceTraits = {
  ...LIMITS,
  subgroupSize: 0,
  maxBindings: 8,
  maxBindingBytes: 2 ** 27,
  maxBufferBytes: 2 ** 28,
  maxTextureSide: 8192,
  maxWorkgroupBytes: 16384,
  maxInvocations: 256,
  f16: false,
  residentGroups: 16,
};
