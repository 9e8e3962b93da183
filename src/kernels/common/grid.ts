import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { Binding, DeviceTraits, KernelStep } from '../../engine/graph/tensor.js';

/** Work that is a flat range of indices: how many workgroups it takes, and the dispatch around it. */

type WorkgroupLimit = Pick<DeviceTraits, 'maxWorkgroups'>;
type GridTraits = Pick<DeviceTraits, 'maxWorkgroups' | 'kind'>;

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
  // Rows as long as each other, so that hardly a workgroup is left without work.
  const y = Math.ceil(groups / traits.maxWorkgroups);
  const x = Math.ceil(groups / y);
  return {
    workgroups: [x, y, 1],
    code: `fn flatIndex(group: vec3u, lane: u32) -> u32 { return (group.x + group.y * ${x}u) * ${workgroupSize}u + lane; }\n`,
  };
}

/** A dispatch whose lanes do not cooperate. */
export interface FlatStep {
  readonly count: number;
  readonly bindings: readonly Binding[];
  /** WGSL outside of the function, for `body` to call. */
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

/** A dispatch that does the same for each of `count` neighbouring elements, whichever lane has which. */
export interface StreamStep {
  readonly count: number;
  readonly bindings: readonly Binding[];
  /** WGSL outside of the function, for the statements to call. */
  readonly declarations?: string;
  /**
   * WGSL statements that run once a lane, before its elements. Values that all elements share are loaded here, since no
   * compiler may assume that a store between two loads changes nothing. `first` is the lane's first element.
   */
  readonly prepare?: string;
  /** WGSL statements that run once for each element `i` (u32). */
  readonly each: string;
}

/**
 * A GPU coalesces neighbouring lanes: one element a lane. A software adapter streams: a lane takes a run of
 * neighbours. Short bodies are written out one behind the other, as a loop would cost as much as they do; long ones are
 * looped over, as SwiftShader runs out of registers.
 *
 * Sample (2·x of 32 elements on a software adapter):
 *
 *     let first = flatIndex(group, lane) * 4u;
 *     if (first >= 8u) { return; }
 *     { let i = first; y[i] = vec4f(value(i)); }
 *     { let i = first + 1u; y[i] = vec4f(value(i)); }
 *     { let i = first + 2u; y[i] = vec4f(value(i)); }
 *     { let i = first + 3u; y[i] = vec4f(value(i)); }
 */
export function streamStep(
  { count, bindings, declarations = '', prepare = '', each }: StreamStep,
  traits: GridTraits,
): KernelStep {
  const looped = traits.kind === 'software' && bindings.length > LONGEST_WRITTEN_OUT;
  const run = traits.kind === 'gpu' ? 1 : looped ? LOOPED_RUN : WRITTEN_OUT_RUN;
  const lanes = Math.ceil(count / run);
  const workgroup = traits.kind === 'software' && lanes >= WIDE_GROUPS_FROM ? 256 : 64;
  const grid = flatGrid(lanes, workgroup, traits);
  const end = count % run === 0 ? `first + ${run}u` : `min(first + ${run}u, ${count}u)`;
  return {
    kind: 'dispatch',
    bindings,
    workgroups: grid.workgroups,
    code: wgsl`${grid.code}${declarations}
@compute @workgroup_size(${workgroup}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = flatIndex(group, lane) * ${run}u;
  if (first >= ${count}u) { return; }
  ${prepare}
#if ${looped}
  for (var i = first; i < ${end}; i++) {
    ${each}
  }
#else
  ${writtenOut({ times: run, name: 'i', first: 'first', step: 1, end: count % run === 0 ? undefined : `${count}u` }, each)}
#endif
}`,
  };
}

/**
 * `body` written out `times` times, for `name` = `first`, `first + step`…
 * @param end where given, WGSL that all but the first are compared with: at or beyond it nothing is done
 */
export function writtenOut(
  {
    times,
    name,
    first,
    step,
    end,
  }: Readonly<{ times: number; name: string; first: string; step: number; end?: string | undefined }>,
  body: string,
): string {
  return Array.from({ length: times }, (_, k) => {
    const value = `let ${name} = ${first}${k > 0 ? ` + ${k * step}u` : ''};`;
    return end === undefined || k === 0
      ? `{ ${value} ${body} }`
      : `{ ${value} if (${name} < ${end}) { ${body} } }`;
  }).join('\n  ');
}

/**
 * Neighbours of one lane on a software adapter. From 1 to 4 doubles the rate on lavapipe and SwiftShader; 8 adds little
 * and compiles twice as long.
 */
const WRITTEN_OUT_RUN = 4;
const LOOPED_RUN = 16;
/** Arrays that a body may touch to be written out. */
const LONGEST_WRITTEN_OUT = 4;
/** Lanes from which on a software adapter gets workgroups of 256: fewer of them cost less, but all cores need some. */
const WIDE_GROUPS_FROM = 4096;
