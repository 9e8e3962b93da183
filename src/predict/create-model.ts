import type { Arena } from '../engine/arena.js';
import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { ShapeError } from '../engine/errors.js';
import { Graph, type Tensor } from '../engine/graph/tensor.js';
import type { Program } from '../engine/run/program.js';
import type { HubOptions } from '../hub/hub-settings.js';
import type { ImageSize } from '../models/backbones/backbone.js';
import { defineModel, type ModelConfig, type ModelDefinition } from '../models/model.js';
import { ModelError } from '../models/model-error.js';
import { createWeightArenas, type WeightArenas } from '../models/weight-arenas.js';
import { initialWeights } from '../weights/initial-weights.js';

/** A network to call from code: numbers in, numbers out. Runs and checkpoints have programs of their own. */
export interface CreateModelOptions extends Omit<ModelConfig, 'imageSize'> {
  /** Pixels a side, or [height, width]: what `forward` insists on. Absent: any size the network can take. */
  readonly imageSize?: number | ImageSize | undefined;
  /** Safetensors or PyTorch file in timm's naming, or `hf-hub:owner/name` of one on a hub. Absent: fresh weights. */
  readonly weights?: string;
  /** `reset`: a fresh head instead of the one in `weights`, which else must fit. */
  readonly weightsHead?: 'keep' | 'reset';
  /** File of LoRA adapters to merge into `weights`: a run's `best.adapters.safetensors`, or one of PEFT's. */
  readonly adapters?: string;
  /** How a hub is asked for `weights`: from the cache only, with progress. */
  readonly hub?: HubOptions;
  /** Of fresh weights; default 0. */
  readonly seed?: number;
}

/** [n, height, width, channels] */
export type ImageBatchShape = readonly [number, number, number, number];

/**
 * Puts a model on a device, in evaluation mode.
 * @throws ModelError for an unknown architecture or option; CheckpointError for a file that doesn't fit; HubError
 */
export async function createModel(device: Device, options: CreateModelOptions): Promise<Model> {
  const { weights, weightsHead = 'keep', adapters, hub, seed = 0, imageSize: side, ...config } = options;
  const imageSize = typeof side === 'number' ? ([side, side] as const) : side;
  const definition = defineModel({ ...config, imageSize });
  const start = await initialWeights(definition, { weights, weightsHead, adapters, seed, hub });
  const arenas = await createWeightArenas(device, definition, start);
  return new Model(device, definition, arenas, { imageSize, notes: start.notes });
}

interface Compiled {
  readonly program: Program;
  readonly logits: Tensor;
  readonly features: Tensor;
  readonly embedding: Tensor | undefined;
}

export class Model {
  readonly definition: ModelDefinition;
  /** What was taken from a weights file and what not, a sentence each. */
  readonly notes: readonly string[];
  readonly #device: Device;
  readonly #arenas: WeightArenas<Arena>;
  readonly #size: ImageSize | undefined;
  readonly #programs = new Map<string, Promise<Compiled>>();

  /** Use `createModel`. */
  constructor(
    device: Device,
    definition: ModelDefinition,
    arenas: WeightArenas<Arena>,
    { imageSize, notes }: { imageSize: ImageSize | undefined; notes: readonly string[] },
  ) {
    this.#device = device;
    this.definition = definition;
    this.#arenas = arenas;
    this.#size = imageSize;
    this.notes = notes;
  }

  /**
   * @param images NHWC, normalised, of `shape` [n, h, w, channels]; each new shape is compiled once
   * @returns logits [n, classes]
   * @throws ShapeError when sizes don't fit the network or the values
   */
  async forward(images: Float32Array, shape: ImageBatchShape): Promise<Float32Array> {
    const { program, logits } = await this.#compiled(shape);
    program.run({ images });
    return program.read(logits);
  }

  /** Like `forward`, but the pooled features before the classifier: [n, features]. */
  async features(images: Float32Array, shape: ImageBatchShape): Promise<Float32Array> {
    const { program, features } = await this.#compiled(shape);
    program.run({ images });
    return program.read(features);
  }

  /**
   * What a head that compares embeddings makes of images: [n, d], each of length 1, to be compared with others by their
   * dot products.
   * @throws ModelError where the head makes none
   */
  async embeddings(images: Float32Array, shape: ImageBatchShape): Promise<Float32Array> {
    const { program, embedding } = await this.#compiled(shape);
    if (!embedding) {
      const { name } = this.definition.config.head;
      throw new ModelError(`the head ${name} makes no embeddings; projection does`);
    }
    program.run({ images });
    return program.read(embedding);
  }

  /** Frees the weights and everything compiled. */
  async destroy(): Promise<void> {
    for (const compiled of this.#programs.values()) (await compiled).program.destroy();
    this.#arenas.params.destroy();
    this.#arenas.stats.destroy();
  }

  #compiled(shape: ImageBatchShape): Promise<Compiled> {
    const [, height, width, channels] = shape;
    const { inChannels } = this.definition.config;
    if (channels !== inChannels) {
      throw new ShapeError(`images [${shape}] have ${channels} channels, the model takes ${inChannels}`);
    }
    if (this.#size && (height !== this.#size[0] || width !== this.#size[1])) {
      throw new ShapeError(
        `images [${shape}] are ${height} × ${width}, the model takes ${this.#size.join(' × ')}`,
      );
    }
    const key = shape.join();
    let compiled = this.#programs.get(key);
    if (!compiled) {
      compiled = this.#compile(shape);
      this.#programs.set(key, compiled);
    }
    return compiled;
  }

  async #compile(shape: ImageBatchShape): Promise<Compiled> {
    const graph = new Graph();
    const traced = this.definition.trace(graph, graph.input('images', shape), 'eval');
    const { logits, features, embedding } = traced;
    const outputs = [logits, features, ...(embedding ? [embedding] : [])];
    const program = await compile(this.#device, { graph, outputs, arenas: { ...this.#arenas } });
    return { program, logits, features, embedding };
  }
}
