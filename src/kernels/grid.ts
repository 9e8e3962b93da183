import type { Binding, DeviceTraits, KernelStep } from '../engine/tensor.js';

/** Work that is a flat range of indices, one a lane: how many workgroups it takes, and the dispatch around it. */

type WorkgroupLimit = Pick<DeviceTraits, 'maxWorkgroups'>;

/**
 * Workgroups for a flat range of invocations. WebGPU allows 65,535 workgroups a dimension, so large ranges are folded
 * into two; `flatIndex(group, lane)` in the returned WGSL undoes the folding. Invocations beyond `invocations` exist:
 * guard against them.
 */
export function flatGrid(
  invocations: number,
  workgroupSize: number,
  traits: WorkgroupLimit,
): { workgroups: [number, number, number]; code: string } {
  const groups = Math.ceil(invocations / workgroupSize);
  const x = Math.min(groups, traits.maxWorkgroups);
  const y = Math.ceil(groups / x);
  return {
    workgroups: [x, y, 1],
    code: `fn flatIndex(group: vec3u, lane: u32) -> u32 { return (group.x + group.y * ${x}u) * ${workgroupSize}u + lane; }\n`,
  };
}

/** A dispatch whose lanes do not cooperate. */
export interface FlatStep {
  readonly count: number;
  readonly bindings: readonly Binding[];
  /** WGSL outside of the function: what `body` calls. */
  readonly declarations?: string;
  /** WGSL statements that run once for each `id` (u32) below `count`. */
  readonly body: string;
}

export function flatStep(
  { count, bindings, declarations = '', body }: FlatStep,
  traits: WorkgroupLimit,
): KernelStep {
  const grid = flatGrid(count, 64, traits);
  return {
    kind: 'dispatch',
    bindings,
    workgroups: grid.workgroups,
    code: `${grid.code}${declarations}
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = flatIndex(group, lane);
  if (id >= ${count}u) { return; }
  ${body}
}`,
  };
}
