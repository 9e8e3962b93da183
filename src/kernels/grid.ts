import type { DeviceTraits } from '../engine/tensor.js';

/**
 * Workgroups for a flat range of invocations. WebGPU allows 65,535 workgroups a dimension, so large ranges are folded
 * into two; `flatIndex(group, lane)` in the returned WGSL undoes the folding. Invocations beyond `invocations` exist:
 * guard against them.
 */
export function flatGrid(
  invocations: number,
  workgroupSize: number,
  traits: Pick<DeviceTraits, 'maxWorkgroups'>,
): { workgroups: [number, number, number]; code: string } {
  const groups = Math.ceil(invocations / workgroupSize);
  const x = Math.min(groups, traits.maxWorkgroups);
  const y = Math.ceil(groups / x);
  return {
    workgroups: [x, y, 1],
    code: `fn flatIndex(group: vec3u, lane: u32) -> u32 { return (group.x + group.y * ${x}u) * ${workgroupSize}u + lane; }\n`,
  };
}
