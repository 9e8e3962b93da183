import type { ArenaPlan } from '../engine/arena.js';
import type { Tuning } from '../engine/choose/tune.js';
import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { ShapeError } from '../engine/errors.js';
import { elementCount, Graph, type Tensor } from '../engine/graph/tensor.js';
import type { Program } from '../engine/run/program.js';
import { type Network, traceInputs } from '../models/network.js';

/**
 * A network in evaluation mode, compiled for batches of one size and bound to its weights. Fewer samples than a batch are
 * filled up with zeros: each sample's result depends on that sample alone.
 */
export interface NetworkProgramOptions<Inputs extends string, Outputs extends string> {
  readonly network: Network<Inputs, Outputs>;
  readonly batchSize: number;
  readonly arenas: { readonly params: ArenaPlan; readonly stats?: ArenaPlan };
  readonly tuning?: Tuning | undefined;
}

export class NetworkProgram<Inputs extends string, Outputs extends string> {
  readonly batchSize: number;
  readonly #program: Program;
  readonly #inputs: Readonly<Record<Inputs, { readonly perSample: number; readonly dtype: string }>>;
  readonly #outputs: Readonly<Record<Outputs, Tensor>>;

  private constructor(
    program: Program,
    outputs: Readonly<Record<Outputs, Tensor>>,
    { network, batchSize }: NetworkProgramOptions<Inputs, Outputs>,
  ) {
    this.#program = program;
    this.#outputs = outputs;
    this.batchSize = batchSize;
    this.#inputs = Object.fromEntries(
      Object.entries<{ shape: readonly number[]; dtype: string }>(network.inputs).map(
        ([name, { shape, dtype }]) => [name, { perSample: elementCount(shape), dtype }],
      ),
    ) as Record<Inputs, { perSample: number; dtype: string }>;
  }

  /** @throws KernelError, OutOfMemoryError, ShapeError */
  static async create<Inputs extends string, Outputs extends string>(
    device: Device,
    options: NetworkProgramOptions<Inputs, Outputs>,
  ): Promise<NetworkProgram<Inputs, Outputs>> {
    const { network, batchSize, arenas, tuning } = options;
    const graph = new Graph();
    const { outputs } = network.trace(graph, traceInputs(graph, network.inputs, batchSize), { mode: 'eval' });
    const program = await compile(device, {
      graph,
      outputs: Object.values<Tensor>(outputs),
      arenas: { ...arenas },
      tuning,
    });
    return new NetworkProgram(program, outputs, options);
  }

  /** Bytes of all that the program has on the device beside the weights. */
  get bytes(): number {
    return this.#program.ownBytes;
  }

  /**
   * @param inputs values of `count` samples each @param count at most `batchSize`
   * @returns the values of as many samples of each output
   * @throws ShapeError where the numbers do not agree
   */
  async run(
    inputs: Readonly<Record<Inputs, Float32Array | Uint32Array>>,
    count: number,
  ): Promise<Record<Outputs, Float32Array>> {
    const feeds: Record<string, Float32Array | Uint32Array> = {};
    for (const [name, { perSample, dtype }] of Object.entries<{ perSample: number; dtype: string }>(
      this.#inputs,
    )) {
      const values = inputs[name as Inputs];
      if (count > this.batchSize || values.length !== count * perSample) {
        throw new ShapeError(
          `${name}: ${values.length} values for ${count} samples of ${perSample}, in batches of ${this.batchSize}`,
        );
      }
      const filled =
        dtype === 'u32'
          ? new Uint32Array(this.batchSize * perSample)
          : new Float32Array(this.batchSize * perSample);
      filled.set(values);
      feeds[name] = filled;
    }
    this.#program.run(feeds);
    // all are asked for before the first wait, so that the next batch may follow at once
    const reads = Object.entries<Tensor>(this.#outputs).map(async ([name, tensor]) => {
      const values = await this.#program.read(tensor);
      return [name, values.slice(0, (values.length / this.batchSize) * count)] as const;
    });
    return Object.fromEntries(await Promise.all(reads)) as Record<Outputs, Float32Array>;
  }

  destroy(): void {
    this.#program.destroy();
  }
}
