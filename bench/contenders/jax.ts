import type { Shape } from '#src/engine/graph/tensor.js';
import type { Entrant, TensorForm } from '../entrant.js';
import { fromChannelsFirst, operandValues, toChannelsFirst } from '../operand-values.js';
import { loadPeer, peerVersion } from './load-peer.js';

/** jax-js on its WebGPU backend, compiled by its own `jit`. Its convolutions are NCHW and OIHW. */

/** An array is used up by the function that takes it; `ref` keeps it. */
export interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: Shape;
  data(): Promise<Float32Array>;
  dispose(): void;
  reshape(shape: Shape): JaxArray;
}

type JaxNumber = JaxArray | number;
type Sides = readonly (readonly [number, number])[];

/** What is used of `@jax-js/jax`; see its own documentation for the meaning. */
export interface Jax {
  init(device: 'webgpu'): Promise<string[]>;
  defaultDevice(device: 'webgpu'): void;
  getWebGPUDevice(): GPUDevice;
  blockUntilReady(arrays: readonly JaxArray[]): Promise<unknown>;
  jit(f: (...xs: JaxArray[]) => JaxArray[]): (...xs: JaxArray[]) => JaxArray[];
  vjp(
    f: (...xs: JaxArray[]) => JaxArray,
    xs: readonly JaxArray[],
  ): [value: JaxArray, pull: (gradient: JaxArray) => JaxArray[]];
  valueAndGrad(f: (x: JaxArray) => JaxArray): (x: JaxArray) => [value: JaxArray, gradient: JaxArray];
  readonly nn: {
    softmax(x: JaxArray): JaxArray;
    logSoftmax(x: JaxArray): JaxArray;
    sigmoid(x: JaxArray): JaxArray;
    softplus(x: JaxArray): JaxArray;
    relu(x: JaxArray): JaxArray;
  };
  readonly numpy: {
    array(values: Float32Array, options: { shape: Shape }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    transpose(x: JaxArray, axes: readonly number[]): JaxArray;
    flip(x: JaxArray, axes: readonly number[]): JaxArray;
    add(a: JaxNumber, b: JaxNumber): JaxArray;
    subtract(a: JaxNumber, b: JaxNumber): JaxArray;
    multiply(a: JaxNumber, b: JaxNumber): JaxArray;
    divide(a: JaxNumber, b: JaxNumber): JaxArray;
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    log(x: JaxArray): JaxArray;
    negative(x: JaxArray): JaxArray;
    mean(x: JaxArray, axes: readonly number[], options: { keepdims: boolean }): JaxArray;
    sum(x: JaxArray): JaxArray;
  };
  readonly lax: {
    convGeneralDilated(
      x: JaxArray,
      filter: JaxArray,
      strides: readonly number[],
      padding: Sides,
      options?: { lhsDilation?: number[]; rhsDilation?: number[]; featureGroupCount?: number },
    ): JaxArray;
  };
}

export interface JaxHost {
  readonly version: string;
  readonly jax: Jax;
}

/** @throws MissingPeerError */
export async function openJax(): Promise<JaxHost> {
  const jax = loadPeer('@jax-js/jax') as Jax;
  await jax.init('webgpu');
  jax.defaultDevice('webgpu');
  return { version: peerVersion('@jax-js/jax'), jax };
}

/** @param compute the results of the work, from inputs that are used up */
export type Jitted = (jax: Jax, inputs: readonly JaxArray[]) => JaxArray[];

export async function jittedEntrant(
  { jax }: JaxHost,
  forms: { readonly operands: readonly TensorForm[]; readonly results: readonly TensorForm[] },
  compute: Jitted,
): Promise<Entrant> {
  const inputs = forms.operands.map((form, i) => {
    const { shape, values } = toChannelsFirst(form, operandValues(form, i));
    return jax.numpy.array(values, { shape });
  });
  await jax.blockUntilReady(inputs);
  const once = jax.jit((...xs) => compute(jax, xs));
  let outputs: JaxArray[] = [];
  const release = () => {
    for (const output of outputs) output.dispose();
    outputs = [];
  };
  return {
    async round(repeats) {
      release();
      // Work is submitted when it is waited for: all repetitions at once, as for the others.
      for (let i = 0; i < repeats; i++) outputs.push(...once(...inputs.map(({ ref }) => ref)));
      await jax.blockUntilReady(outputs);
      await jax.getWebGPUDevice().queue.onSubmittedWorkDone();
    },
    async results() {
      const values: Float32Array[] = [];
      for (const [i, form] of forms.results.entries()) {
        const output = outputs[i];
        if (output) values.push(fromChannelsFirst(form, await output.ref.data()));
      }
      return values;
    },
    peakBytes: null,
    dispose: () => {
      release();
      for (const input of inputs) input.dispose();
    },
  };
}
