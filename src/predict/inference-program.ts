import type { GreyPixels } from '../data/images/prepare.js';
import type { ArenaPlan } from '../engine/arena.js';
import type { Tuning } from '../engine/choose/tune.js';
import { type CompileOptions, compile, planProgram } from '../engine/compile.js';
import type { Device, PlanTarget } from '../engine/device.js';
import { Graph, type Tensor } from '../engine/graph/tensor.js';
import type { Plan, PlannedBytes } from '../engine/plan/plan.js';
import type { PlanRow } from '../engine/run/build.js';
import type { OpTime } from '../engine/run/profile.js';
import type { Program } from '../engine/run/program.js';
import { sigmoid } from '../kernels/pointwise/pointwise-table.js';
import type { ModelDefinition } from '../models/model.js';
import { ImageInput, type ImageInputOptions } from './image-input.js';
import type { Scorer } from './scorer.js';
import type { View } from './views/view.js';

/**
 * The network in evaluation mode, bound to one set of weights. Every image's result depends on that image alone, so
 * padding a batch changes nothing.
 */
export interface InferenceOptions extends ImageInputOptions {
  readonly definition: ModelDefinition;
  /** The weights: read at each run, so they may change between runs. To run, they must have memory (`Arena`). */
  readonly arenas: { readonly params: ArenaPlan; readonly stats: ArenaPlan };
  readonly tuning?: Tuning | undefined;
  /** How many batches are likely to be scored. */
  readonly runs?: number | undefined;
}

export class InferenceProgram implements Scorer {
  readonly classes: number;
  readonly batchSize: number;
  readonly #program: Program;
  readonly #traced: Omit<TracedInference, 'program'>;

  private constructor(program: Program, traced: TracedInference, options: InferenceOptions) {
    this.#program = program;
    this.#traced = traced;
    this.classes = options.definition.config.classes;
    this.batchSize = options.batchSize;
  }

  /** @throws KernelError, OutOfMemoryError, ShapeError */
  static async create(device: Device, options: InferenceOptions): Promise<InferenceProgram> {
    const traced = traceInference(options);
    return new InferenceProgram(await compile(device, traced.program), traced, options);
  }

  /** What `create` would make by the rule, without allocating anything. @throws the same */
  static plan(target: PlanTarget, options: InferenceOptions): Plan {
    return planProgram(target, traceInference(options).program);
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

  logits(pixels: GreyPixels, view?: View): Promise<Float32Array> {
    return this.#scored(pixels, view, this.#traced.logits);
  }

  probabilities(pixels: GreyPixels, view?: View): Promise<Float32Array> {
    return this.#scored(pixels, view, this.#traced.probabilities);
  }

  destroy(): void {
    this.#program.destroy();
  }

  async #scored(pixels: GreyPixels, view: View | undefined, output: Tensor): Promise<Float32Array> {
    this.#program.run(this.#traced.input.feeds(pixels, view));
    return this.#program.read(output);
  }
}

interface TracedInference {
  readonly program: CompileOptions;
  readonly input: ImageInput;
  /** [batchSize, classes] each */
  readonly logits: Tensor;
  readonly probabilities: Tensor;
}

function traceInference(options: InferenceOptions): TracedInference {
  const { definition, arenas, tuning, runs } = options;
  const graph = new Graph();
  const input = new ImageInput(graph, options);
  const { logits } = definition.trace(graph, input.images, 'eval');
  const probabilities = sigmoid(logits);
  return {
    program: { graph, outputs: [probabilities, logits], arenas, tuning, runs },
    input,
    logits,
    probabilities,
  };
}
