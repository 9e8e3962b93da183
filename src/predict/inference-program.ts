import type { ArenaPlan } from '../engine/arena.js';
import type { Tuning } from '../engine/choose/tune.js';
import { type CompileOptions, compile, planProgram } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { Graph, type Tensor } from '../engine/graph/tensor.js';
import type { Plan, PlannedBytes } from '../engine/plan/plan.js';
import type { PlanRow } from '../engine/run/build.js';
import type { OpTime } from '../engine/run/profile.js';
import type { Program } from '../engine/run/program.js';
import { sigmoid } from '../kernels/pointwise/pointwise-table.js';
import type { ModelDefinition } from '../models/model.js';
import type { Scorer } from './scorer.js';

/**
 * The network in evaluation mode, bound to one set of weights. Every image's result depends on that image alone, so
 * padding a batch changes nothing.
 */
export interface InferenceOptions {
  readonly definition: ModelDefinition;
  readonly batchSize: number;
  /** [height, width, channels] */
  readonly imageShape: readonly [number, number, number];
  /** The weights: read at each run, so they may change between runs. To run, they must have memory (`Arena`). */
  readonly arenas: { readonly params: ArenaPlan; readonly stats: ArenaPlan };
  readonly tuning?: Tuning | undefined;
  /** How many batches are likely to be scored. */
  readonly runs?: number | undefined;
}

export class InferenceProgram implements Scorer {
  readonly classes: number;
  readonly batchSize: number;
  readonly imageShape: readonly [number, number, number];
  readonly #program: Program;
  readonly #outputs: InferenceOutputs;

  private constructor(program: Program, outputs: InferenceOutputs, options: InferenceOptions) {
    this.#program = program;
    this.#outputs = outputs;
    this.classes = options.definition.config.classes;
    this.batchSize = options.batchSize;
    this.imageShape = options.imageShape;
  }

  /** @throws KernelError, OutOfMemoryError, ShapeError */
  static async create(device: Device, options: InferenceOptions): Promise<InferenceProgram> {
    const { program, outputs } = traceInference(options);
    return new InferenceProgram(await compile(device, program), outputs, options);
  }

  /** What `create` would make by the rule, without allocating anything. @throws the same */
  static plan(device: Device, options: InferenceOptions): Plan {
    return planProgram(device, traceInference(options).program);
  }

  /** See `Program.kernels`. */
  get kernels(): ReadonlyMap<string, string> {
    return this.#program.kernels;
  }

  /** Bytes of all that the program has on the device beside the weights. */
  get bytes(): number {
    return this.#program.ownBytes;
  }

  /** What scoring takes on the device, by part; weights included. */
  get planned(): PlannedBytes {
    return this.#program.bytes;
  }

  /** The plan, an op a row. */
  get rows(): readonly PlanRow[] {
    return this.#program.rows;
  }

  /** Scores the last batch again (or one of zeros), timed op by op. */
  profile(): Promise<OpTime[]> {
    return this.#program.profile();
  }

  logits(images: Float32Array): Promise<Float32Array> {
    return this.#scored(images, this.#outputs.logits);
  }

  probabilities(images: Float32Array): Promise<Float32Array> {
    return this.#scored(images, this.#outputs.probabilities);
  }

  destroy(): void {
    this.#program.destroy();
  }

  async #scored(images: Float32Array, output: Tensor): Promise<Float32Array> {
    this.#program.run({ images });
    return this.#program.read(output);
  }
}

/** [batchSize, classes] each */
interface InferenceOutputs {
  readonly logits: Tensor;
  readonly probabilities: Tensor;
}

function traceInference(options: InferenceOptions): {
  program: CompileOptions;
  outputs: InferenceOutputs;
} {
  const { definition, batchSize, imageShape, arenas, tuning, runs } = options;
  const graph = new Graph();
  const images = graph.input('images', [batchSize, ...imageShape]);
  const { logits } = definition.trace(graph, images, 'eval');
  const probabilities = sigmoid(logits);
  const program = { graph, outputs: [probabilities, logits], arenas, tuning, runs };
  return { program, outputs: { logits, probabilities } };
}
