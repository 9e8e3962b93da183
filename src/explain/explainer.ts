import type { GreyPixels } from '../data/images/prepare.js';
import type { Arena } from '../engine/arena.js';
import type { Device } from '../engine/device.js';
import { loadNetwork } from '../predict/classifier.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { type ExplainedBatch, ExplainProgram, type ExplainProgramOptions } from './explain-program.js';

export interface ExplainerOptions extends Pick<ExplainProgramOptions, 'method' | 'tuning' | 'runs'> {
  /** The checkpoint's, for messages. */
  readonly path: string;
  /** Images at once; default 8. Does not change the maps. */
  readonly batchSize?: number | undefined;
}

/** A checkpoint on a device, ready to say where it looks in pictures prepared as it says. */
export class Explainer {
  readonly batchSize: number;
  readonly #program: ExplainProgram;
  readonly #arenas: readonly Arena[];

  private constructor(program: ExplainProgram, arenas: readonly Arena[]) {
    this.#program = program;
    this.batchSize = program.batchSize;
    this.#arenas = arenas;
  }

  /**
   * @throws CheckpointError 'mismatch' when its weights are not those of the network it names; ExplainError where the method
   * says nothing of this network; OutOfMemoryError
   */
  static async load(
    device: Device,
    checkpoint: Checkpoint,
    { path, batchSize = 8, ...options }: ExplainerOptions,
  ): Promise<Explainer> {
    const { preprocessing } = checkpoint;
    const { definition, arenas } = await loadNetwork(device, checkpoint, path);
    const owned = Object.values(arenas);
    try {
      const all = { ...options, batchSize, definition, preprocessing, arenas };
      return new Explainer(await ExplainProgram.create(device, all), owned);
    } catch (error) {
      for (const arena of owned) arena.destroy();
      throw error;
    }
  }

  /** @param pixels [batchSize, h, w] @param columns [batchSize]: for which class each image is asked about */
  explain(pixels: GreyPixels, columns: ArrayLike<number>): Promise<ExplainedBatch> {
    return this.#program.explain(pixels, columns);
  }

  destroy(): void {
    this.#program.destroy();
    for (const arena of this.#arenas) arena.destroy();
  }
}
