import type { GreyPixels } from '../data/images/prepare.js';
import type { ArenaPlan } from '../engine/arena.js';
import type { Tuning } from '../engine/choose/tune.js';
import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { ShapeError } from '../engine/errors.js';
import { at, Graph, type Tensor } from '../engine/graph/tensor.js';
import type { Program } from '../engine/run/program.js';
import type { ModelDefinition } from '../models/model.js';
import { ImageInput, type ImageInputOptions } from '../predict/image-input.js';
import { CoarseMaps, type MapSize } from './maps/coarse-maps.js';
import type { ExplainMethod } from './maps/method.js';
import { traceMap } from './maps/trace-map.js';

/**
 * The network in evaluation mode and, behind it, where it looked: one program that gives logits and a map of each image for
 * one class each. Batch norms go by their running statistics, as in inference, so each image's map depends on that image
 * alone, and padding a batch changes nothing.
 */
export interface ExplainProgramOptions extends Omit<ImageInputOptions, 'views'> {
  readonly definition: ModelDefinition;
  /** The weights, as for an inference program, with which they may be shared. */
  readonly arenas: { readonly params: ArenaPlan; readonly stats: ArenaPlan };
  readonly method: ExplainMethod;
  readonly tuning?: Tuning | undefined;
  /** How many batches are likely to be explained. */
  readonly runs?: number | undefined;
}

/** Of a batch. */
export interface ExplainedBatch {
  /** [batchSize, classes] */
  readonly logits: Float32Array;
  readonly maps: CoarseMaps;
}

interface Traced {
  readonly input: ImageInput;
  /** [batchSize, classes] */
  readonly logits: Tensor;
  /** [batchSize, rows, columns] */
  readonly cells: Tensor;
}

export class ExplainProgram {
  readonly batchSize: number;
  readonly classes: number;
  readonly #program: Program;
  readonly #traced: Traced;
  readonly #imageSize: MapSize;

  private constructor(program: Program, traced: Traced, options: ExplainProgramOptions) {
    this.#program = program;
    this.#traced = traced;
    this.batchSize = options.batchSize;
    this.classes = options.definition.config.classes;
    this.#imageSize = options.preprocessing.size;
  }

  /** @throws ExplainError where the method says nothing of this network; KernelError, OutOfMemoryError, ShapeError */
  static async create(device: Device, options: ExplainProgramOptions): Promise<ExplainProgram> {
    const { definition, arenas, method, batchSize, tuning, runs } = options;
    const graph = new Graph();
    const input = new ImageInput(graph, options);
    const traced = definition.trace(graph, input.images, 'eval');
    const select = graph.input('select', [batchSize, definition.config.classes]);
    const cells = traceMap(method, traced, { select, definition });
    const { logits } = traced;
    const program = await compile(device, { graph, outputs: [logits, cells], arenas, tuning, runs });
    return new ExplainProgram(program, { input, logits, cells }, options);
  }

  /**
   * @param pixels [batchSize, h, w], prepared @param columns [batchSize]: for which class each image is asked about
   * @throws ShapeError for pixels of another number or depth, and for a class that there is not
   */
  async explain(pixels: GreyPixels, columns: ArrayLike<number>): Promise<ExplainedBatch> {
    const { input, logits, cells } = this.#traced;
    const select = new Float32Array(this.batchSize * this.classes);
    for (let i = 0; i < this.batchSize; i++) {
      const column = columns[i] ?? -1;
      if (!Number.isInteger(column) || column < 0 || column >= this.classes) {
        throw new ShapeError(`class ${column} of image ${i}: there are classes 0 to ${this.classes - 1}.`);
      }
      select[i * this.classes + column] = 1;
    }
    this.#program.run({ ...input.feeds(pixels), select });
    // both are asked for before the first wait, so that the next batch may follow at once
    const [scores, values] = await Promise.all([this.#program.read(logits), this.#program.read(cells)]);
    const grid = [at(cells.shape, 1), at(cells.shape, 2)] as const;
    return { logits: scores, maps: new CoarseMaps(values, { grid, imageSize: this.#imageSize }) };
  }

  destroy(): void {
    this.#program.destroy();
  }
}
