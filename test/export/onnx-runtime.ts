import { createRequire } from 'node:module';

/** ONNX Runtime, which others will run an exported model in. It is a package of bench/. */

export interface FloatTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Runs a model once: NCHW values in, its outputs by name. */
export type RunOnnx = (
  feeds: Readonly<Record<string, FloatTensor>>,
) => Promise<Readonly<Record<string, FloatTensor>>>;

/** What is used of `onnxruntime-node`. */
interface Ort {
  readonly Tensor: new (type: 'float32', values: Float32Array, dims: readonly number[]) => FloatTensor;
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{
      run(feeds: Readonly<Record<string, FloatTensor>>): Promise<Readonly<Record<string, FloatTensor>>>;
      release(): Promise<void>;
    }>;
  };
}

/** ONNX Runtime; where it is not installed, undefined. */
export const runtime = find();

/** Why tests that need it are left out. */
export const MISSING = 'onnxruntime-node is not installed: npm ci --prefix bench --ignore-scripts';

function find(): Ort | undefined {
  try {
    return createRequire(new URL('../../bench/package.json', import.meta.url))('onnxruntime-node') as Ort;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Loads a model, hands it to `use`, and frees it. */
export async function withOnnx<T>(model: Uint8Array, use: (run: RunOnnx) => Promise<T>): Promise<T> {
  if (!runtime) throw new Error(MISSING);
  const { InferenceSession, Tensor } = runtime;
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    return await use((feeds) =>
      session.run(
        Object.fromEntries(
          Object.entries(feeds).map(([name, { data, dims }]) => [name, new Tensor('float32', data, dims)]),
        ),
      ),
    );
  } finally {
    await session.release();
  }
}
