import { elementCount, type TensorSpec } from '#src/engine/graph/tensor.js';
import { type Jitted, jittedEntrant } from './contenders/jax.js';
import { onnxEntrant } from './contenders/onnx.js';
import type { OnnxNode } from './contenders/onnx-model.js';
import { pytorchEntrant } from './contenders/pytorch.js';
import { type Trace, tracedEntrant, tracedHalfEntrant } from './contenders/tailray.js';
import { type Eager, eagerEntrant } from './contenders/tfjs.js';
import type { TensorForm } from './entrant.js';
import type { Entries, Workload } from './workload.js';

/** A workload that is a function of tensors: each library's way of it is an expression over the same operands. */
export interface TensorOperation extends Omit<Workload, 'entries' | 'cost'> {
  readonly operands: readonly TensorForm[];
  readonly results: readonly TensorForm[];
  readonly flops: number;
  /** When absent: each operand read once, each result written once. */
  readonly bytes?: number;
  readonly tailray: Trace;
  /** Whether it is measured in mixed precision, too. */
  readonly halves?: boolean;
  /** The same from plain ops, where `tailray` has a kernel of its own for it. */
  readonly unfused?: Trace;
  readonly tfjs?: Eager;
  readonly jax?: Jitted;
  /** For a single result. */
  readonly onnx?: OnnxNode;
  /** A Python expression over x0, x1… (the operands, channels first), `torch` and `F`. */
  readonly pytorch?: string;
}

export function tensorOperation({
  operands,
  results,
  tailray,
  halves,
  unfused,
  tfjs,
  jax,
  onnx,
  pytorch,
  flops,
  bytes = byteSum([...operands, ...results]),
  ...workload
}: TensorOperation): Workload {
  const [result] = results;
  const entries: Entries = {
    tailray: (host) => tracedEntrant(host, operands, tailray),
    ...(halves && { 'tailray-f16': (host) => tracedHalfEntrant(host, operands, tailray) }),
    ...(unfused && { 'tailray-unfused': (host) => tracedEntrant(host, operands, unfused) }),
    ...(tfjs && { 'tfjs-webgpu': (host) => eagerEntrant(host, operands, tfjs) }),
    ...(jax && { 'jax-js': (host) => jittedEntrant(host, { operands, results }, jax) }),
    ...(onnx && result && { 'onnxruntime-cpu': (host) => onnxEntrant(host, { operands, result }, onnx) }),
    ...(pytorch !== undefined && {
      'pytorch-cpu': (host) => pytorchEntrant(host, { operands, results }, pytorch),
      'pytorch-cuda': (host) => pytorchEntrant(host, { operands, results }, pytorch),
    }),
  };
  return { ...workload, cost: { flops, bytes }, entries };
}

/** Bytes of f32 tensors. */
export function byteSum(tensors: readonly Pick<TensorSpec, 'shape'>[]): number {
  return tensors.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
}
