import type { PlanTarget } from '../engine/device.js';
import { formatByteSize } from '../text/byte-size.js';

/**
 * A GPU to plan for where none is at hand. Its largest binding decides what fits; the rest are WebGPU's usual limits on
 * desktop GPUs, with f16 and subgroups of 32.
 */
export function assumedGpu(bindingBytes: number): PlanTarget {
  return {
    description: `a GPU that binds ${formatByteSize(bindingBytes)} (assumed)`,
    traits: {
      kind: 'gpu',
      adapter: 'gpu',
      subgroupSize: 32,
      maxBindings: 10,
      maxBindingBytes: bindingBytes,
      maxBufferBytes: bindingBytes,
      maxTextureSide: 16384,
      maxWorkgroupBytes: 32768,
      maxInvocations: 1024,
      maxWorkgroups: 65535,
      bindingAlignment: 256,
      f16: true,
      residentGroups: 256,
      matrices: [],
    },
  };
}
