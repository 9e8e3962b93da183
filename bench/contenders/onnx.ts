import { availableParallelism } from 'node:os';
import type { Shape } from '#src/engine/graph/tensor.js';
import type { Entrant, TensorForm } from '../entrant.js';
import { fromChannelsFirst, operandValues, toChannelsFirst } from '../operand-values.js';
import { loadPeer, peerVersion } from './load-peer.js';
import { type OnnxNode, onnxModel } from './onnx-model.js';

/** ONNX Runtime on the CPU, on all cores: what a good CPU library makes of the forward pass on the same machine. */

interface OnnxTensor {
  readonly data: Float32Array;
}

/** What is used of `onnxruntime-node`. */
interface Ort {
  readonly Tensor: new (type: 'float32', values: Float32Array, shape: Shape) => OnnxTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: { intraOpNumThreads: number }): Promise<Session>;
  };
}

interface Session {
  run(inputs: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<'y', OnnxTensor>>>;
  release(): Promise<void>;
}

export interface OnnxHost {
  readonly version: string;
  readonly ort: Ort;
}

/** @throws MissingPeerError */
export async function openOnnx(): Promise<OnnxHost> {
  return { version: peerVersion('onnxruntime-node'), ort: loadPeer('onnxruntime-node') as Ort };
}

export async function onnxEntrant(
  { ort }: OnnxHost,
  forms: { readonly operands: readonly TensorForm[]; readonly result: TensorForm },
  node: OnnxNode,
): Promise<Entrant> {
  const operands = forms.operands.map((form, i) => toChannelsFirst(form, operandValues(form, i)));
  const result = toChannelsFirst({ ...forms.result }, new Float32Array(0)).shape;
  const model = onnxModel(
    node,
    operands.map(({ shape }) => shape),
    result,
  );
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: availableParallelism() });
  const feeds = Object.fromEntries(
    operands.map(({ shape, values }, i) => [`x${i}`, new ort.Tensor('float32', values, shape)] as const),
  );
  let output: OnnxTensor | undefined;
  return {
    async round(repeats) {
      for (let i = 0; i < repeats; i++) output = (await session.run(feeds)).y;
    },
    results: async () => (output ? [fromChannelsFirst(forms.result, output.data)] : []),
    peakBytes: null,
    dispose: () => session.release(),
  };
}
