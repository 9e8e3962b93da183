import type { GreyPixels } from '../data/images/prepare.js';
import type { Arena } from '../engine/arena.js';
import type { Device } from '../engine/device.js';
import type { ModelDefinition } from '../models/model.js';
import { createWeightArenas, type WeightArenas } from '../models/weight-arenas.js';
import { importTimm } from '../models/weights/timm-weights.js';
import { WeightsError } from '../models/weights/weights-error.js';
import { type Checkpoint, networkOf } from '../weights/checkpoint.js';
import { CheckpointError } from '../weights/checkpoint-error.js';
import { type InferenceOptions, InferenceProgram } from './inference-program.js';
import type { Scorer } from './scorer.js';
import type { View } from './views/view.js';

export interface ClassifierOptions extends Pick<InferenceOptions, 'tuning' | 'runs' | 'batchSize' | 'views'> {
  /** The checkpoint's, for messages. */
  readonly path: string;
}

/** A checkpoint on a device, ready to score pictures prepared as it says. */
export class Classifier implements Scorer {
  readonly classes: number;
  readonly batchSize: number;
  /** Of the network alone: its plan, its times. */
  readonly program: InferenceProgram;
  readonly #arenas: readonly Arena[];

  private constructor(program: InferenceProgram, arenas: readonly Arena[]) {
    this.program = program;
    this.classes = program.classes;
    this.batchSize = program.batchSize;
    this.#arenas = arenas;
  }

  /**
   * @throws CheckpointError 'mismatch' when its weights are not those of the network it names; OutOfMemoryError
   */
  static async load(
    device: Device,
    checkpoint: Checkpoint,
    { path, ...options }: ClassifierOptions,
  ): Promise<Classifier> {
    const { preprocessing } = checkpoint;
    const { definition, arenas } = await loadNetwork(device, checkpoint, path);
    const program = await InferenceProgram.create(device, { ...options, definition, preprocessing, arenas });
    return new Classifier(program, Object.values(arenas));
  }

  logits(pixels: GreyPixels, view?: View): Promise<Float32Array> {
    return this.program.logits(pixels, view);
  }

  probabilities(pixels: GreyPixels, view?: View): Promise<Float32Array> {
    return this.program.probabilities(pixels, view);
  }

  destroy(): void {
    this.program.destroy();
    for (const arena of this.#arenas) arena.destroy();
  }
}

/**
 * A checkpoint's network, its weights on a device.
 * @param path for messages @throws CheckpointError 'mismatch' as `Classifier.load`; OutOfMemoryError
 */
export async function loadNetwork(
  device: Device,
  checkpoint: Checkpoint,
  path: string,
): Promise<{ definition: ModelDefinition; arenas: WeightArenas<Arena> }> {
  const { model, classes } = checkpoint;
  if (classes.length !== model.classes) {
    throw new CheckpointError(
      'mismatch',
      path,
      `names ${classes.length} classes for ${model.classes} outputs.`,
    );
  }
  const definition = networkOf(checkpoint);
  const weights = importWeights(() => importTimm(definition, checkpoint.tensors), path);
  return { definition, arenas: await createWeightArenas(device, definition, weights) };
}

function importWeights<T>(load: () => T, path: string): T {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new CheckpointError('mismatch', path, error.message, { cause: error });
  }
}
