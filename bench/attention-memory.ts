import { planProgram } from '#src/engine/compile.js';
import type { Device } from '#src/engine/device.js';
import { OutOfMemoryError } from '#src/engine/errors.js';
import { Graph } from '#src/engine/graph/tensor.js';
import { grad } from '#src/kernels/common/grad.js';
import { fusedAttention, unfusedAttention } from './workloads/attention.js';

/**
 * The memory that attention takes on the device against the number of tokens: by the kernel that never stores the weights of
 * all pairs of tokens, and by plain ops. It is planned, not measured, since a program allocates what its plan says.
 */

export const TOKENS: readonly number[] = [64, 128, 256, 512, 1024, 2048, 4096];
const HEADS = 8;
const WIDTH = 64;

export interface AttentionMemory {
  readonly tokens: number;
  readonly ways: Readonly<Record<Way, PlannedMemory>>;
}

export type Way = 'fused' | 'unfused';

/** Bytes of all that a program has on the device; undefined where the adapter cannot bind one of its tensors. */
export interface PlannedMemory {
  readonly forward: number | undefined;
  readonly withGradients: number | undefined;
}

/** One image, 8 heads of 64 values. */
export function attentionMemory(device: Device, tokens: readonly number[] = TOKENS): AttentionMemory[] {
  const plan = (way: Way, count: number): PlannedMemory => ({
    forward: plannedBytes(device, way, count, false),
    withGradients: plannedBytes(device, way, count, true),
  });
  return tokens.map((count) => ({
    tokens: count,
    ways: { fused: plan('fused', count), unfused: plan('unfused', count) },
  }));
}

function plannedBytes(device: Device, way: Way, tokens: number, gradients: boolean): number | undefined {
  const graph = new Graph();
  const input = (name: string) => graph.input(name, [1, tokens, HEADS * WIDTH]);
  const qkv = [input('q'), input('k'), input('v')] as const;
  const sizes = { n: 1, heads: HEADS, tokens, width: WIDTH };
  const y = way === 'fused' ? fusedAttention(qkv, sizes) : unfusedAttention(qkv, sizes);
  const outputs = gradients ? [y, ...grad(y, qkv, input('dy'))] : [y];
  try {
    return planProgram(device, { graph, outputs }).bytes.total;
  } catch (error) {
    if (error instanceof OutOfMemoryError) return undefined;
    throw error;
  }
}
