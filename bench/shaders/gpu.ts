import type { DeviceTraits } from '#src/engine/graph/tensor.js';

/**
 * A GPU to judge kernels for: what WebGPU shows of it, and the rates that the model of time (model.ts) multiplies. All
 * numbers are from AMD's documents of the Radeon RX 7900 XTX (Navi 31, RDNA 3) and its instruction set.
 */
export interface GpuProfile {
  /** RADV's name for the family. */
  readonly family: string;
  readonly traits: DeviceTraits;
  readonly units: number;
  /** SIMDs of a unit: each issues one vector instruction a cycle. */
  readonly simds: number;
  readonly wavesPerSimd: number;
  /** Workgroup memory that the workgroups of one unit share, in bytes. */
  readonly unitWorkgroupBytes: number;
  readonly hertz: number;
  /** Bytes a second of the memory. */
  readonly bandwidth: number;
  /** Floating-point operations a second: what the roof is made of. */
  readonly flops: number;
  /** The same of f16 matrices. */
  readonly matrixFlops: number;
  /** What the traits are where subgroup matrices are asked for. */
  readonly matrices: DeviceTraits['matrices'];
}

const GIB = 2 ** 30;

export const NAVI31: GpuProfile = {
  family: 'NAVI31',
  traits: {
    kind: 'gpu',
    adapter: 'gpu',
    // 32 or 64, as the driver likes
    subgroupSize: 0,
    maxBindings: 10,
    maxBindingBytes: 4 * GIB - 4,
    maxBufferBytes: 4 * GIB - 4,
    maxTextureSide: 16384,
    maxWorkgroupBytes: 65536,
    maxInvocations: 1024,
    maxWorkgroups: 65535,
    bindingAlignment: 256,
    f16: true,
    residentGroups: 48 * 8,
    matrices: [],
  },
  units: 96,
  simds: 2,
  wavesPerSimd: 16,
  unitWorkgroupBytes: 65536,
  hertz: 2.5e9,
  bandwidth: 960e9,
  flops: 61.4e12,
  matrixFlops: 122.9e12,
  matrices: [
    { m: 16, n: 16, k: 16, operands: 'f16', sums: 'f32', subgroups: [32, 64] },
    { m: 16, n: 16, k: 16, operands: 'f16', sums: 'f16', subgroups: [32, 64] },
  ],
};

/** Another family is compiled for, and modelled with Navi 31's rates: registers, spills and occupancy are its own. */
export function gpuOf(family: string): GpuProfile {
  return { ...NAVI31, family };
}
