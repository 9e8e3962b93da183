import { elementCount, type Shape } from '#src/engine/graph/tensor.js';
import type { Entrant, TensorForm } from '../entrant.js';
import { operandValues } from '../operand-values.js';
import { loadPeer, peerVersion } from './load-peer.js';

/** TensorFlow.js on its WebGPU backend. It runs op by op; its layouts are tailray's. */

export interface TfTensor {
  readonly shape: Shape;
  data(): Promise<Float32Array>;
  dispose(): void;
}

export interface TfVariable extends TfTensor {
  readonly name: string;
  assign(value: TfTensor): void;
}

/** A number stands for a scalar tensor. */
type Operand = TfTensor | number;

/** What is used of `@tensorflow/tfjs`; see its own documentation for the meaning. */
export interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  enableProdMode(): void;
  env(): { set(flag: string, value: boolean): void };
  backend(): {
    readonly commandEncoder: GPUCommandEncoder | null;
    readonly device: GPUDevice;
    endComputePassEncoder(): void;
    submitQueue(): void;
  };
  engine(): {
    runKernel(name: string, inputs: Record<string, TfTensor>, attributes: object): TfTensor;
    gradients(
      f: () => TfTensor,
      xs: readonly TfTensor[],
      dy?: TfTensor,
    ): { value: TfTensor; grads: TfTensor[] };
  };
  profile(f: () => unknown): Promise<{ peakBytes: number }>;
  memory(): { numBytes: number };
  tidy<T>(f: () => T): T;
  /** Out of reach of any `tidy`. */
  keep(x: TfTensor): TfTensor;
  dispose(tensors: readonly TfTensor[]): void;
  tensor(values: Float32Array, shape: Shape): TfTensor;
  zeros(shape: Shape): TfTensor;
  variable(initial: TfTensor, trainable?: boolean, name?: string): TfVariable;
  variableGrads(
    f: () => TfTensor,
    variables: readonly TfVariable[],
  ): { value: TfTensor; grads: Record<string, TfTensor> };

  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  conv2d(
    x: TfTensor,
    filter: TfTensor,
    strides: number,
    pad: number,
    format: 'NHWC',
    dilations: number,
    rounding: 'floor',
  ): TfTensor;
  depthwiseConv2d(
    x: TfTensor,
    filter: TfTensor,
    strides: number,
    pad: number,
    format: 'NHWC',
    dilations: number,
    rounding: 'floor',
  ): TfTensor;
  maxPool(x: TfTensor, size: number, strides: number, pad: number, rounding: 'floor'): TfTensor;
  moments(x: TfTensor, axes: readonly number[], keepDims?: boolean): { mean: TfTensor; variance: TfTensor };
  batchNorm(
    x: TfTensor,
    mean: TfTensor,
    variance: TfTensor,
    offset: TfTensor,
    scale: TfTensor,
    epsilon: number,
  ): TfTensor;
  reshape(x: TfTensor, shape: Shape): TfTensor;
  transpose(x: TfTensor, axes: readonly number[]): TfTensor;
  concat(xs: readonly TfTensor[], axis: number): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  slice(x: TfTensor, begin: readonly number[], size: readonly number[]): TfTensor;
  tile(x: TfTensor, repeats: readonly number[]): TfTensor;
  pad(x: TfTensor, paddings: readonly (readonly [number, number])[]): TfTensor;
  add(a: Operand, b: Operand): TfTensor;
  sub(a: Operand, b: Operand): TfTensor;
  mul(a: Operand, b: Operand): TfTensor;
  div(a: Operand, b: Operand): TfTensor;
  pow(a: Operand, b: Operand): TfTensor;
  maximum(a: Operand, b: Operand): TfTensor;
  relu(x: TfTensor): TfTensor;
  erf(x: TfTensor): TfTensor;
  sigmoid(x: TfTensor): TfTensor;
  softplus(x: TfTensor): TfTensor;
  log(x: TfTensor): TfTensor;
  neg(x: TfTensor): TfTensor;
  sqrt(x: TfTensor): TfTensor;
  rsqrt(x: TfTensor): TfTensor;
  square(x: TfTensor): TfTensor;
  sum(x: TfTensor, axes?: readonly number[], keepDims?: boolean): TfTensor;
  max(x: TfTensor, axis: number): TfTensor;
  softmax(x: TfTensor): TfTensor;
  logSumExp(x: TfTensor, axis: number): TfTensor;
  /** 1 where positive, else 0. */
  step(x: TfTensor): TfTensor;
  mean(x: TfTensor, axes?: readonly number[]): TfTensor;
}

export interface TfjsHost {
  readonly version: string;
  readonly tf: Tf;
}

/** @throws MissingPeerError */
export async function openTfjs(): Promise<TfjsHost> {
  const tf = loadPeer('@tensorflow/tfjs') as Tf;
  loadPeer('@tensorflow/tfjs-backend-webgpu');
  tf.enableProdMode();
  await tf.setBackend('webgpu');
  await tf.ready();
  // Small tensors would be computed by node instead of the adapter.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  return { version: peerVersion('@tensorflow/tfjs-backend-webgpu'), tf };
}

/** What is queued is submitted, and waited for. */
export async function settleTfjs(tf: Tf): Promise<void> {
  const backend = tf.backend();
  if (backend.commandEncoder) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  await backend.device.queue.onSubmittedWorkDone();
}

/** @param compute the results of the work; whatever else it makes is freed */
export type Eager = (tf: Tf, inputs: readonly TfTensor[]) => readonly TfTensor[];

export async function eagerEntrant(
  { tf }: TfjsHost,
  operands: readonly TensorForm[],
  compute: Eager,
): Promise<Entrant> {
  const inputs = operands.map((form, i) => tf.tensor(operandValues(form, i), form.shape));
  let outputs: readonly TfTensor[] = [];
  const once = () => {
    tf.dispose(outputs);
    outputs = tf.tidy(() => compute(tf, inputs));
  };
  const others = tf.memory().numBytes - operands.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  const { peakBytes } = await tf.profile(once);
  await settleTfjs(tf);
  return {
    async round(repeats) {
      for (let i = 0; i < repeats; i++) once();
      await settleTfjs(tf);
    },
    async results() {
      const values: Float32Array[] = [];
      for (const output of outputs) values.push(await output.data());
      return values;
    },
    peakBytes: peakBytes - others,
    dispose: () => {
      tf.dispose([...outputs, ...inputs]);
    },
  };
}
