import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { GreyPixels } from '../data/images/prepare.js';
import type { Preprocessing } from '../data/images/preprocessing.js';
import type { Arena } from '../engine/arena.js';
import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { Graph, type Tensor } from '../engine/graph/tensor.js';
import { isHubAddress } from '../hub/hub-address.js';
import { projectionOptions, traceTexts } from '../models/heads/projection.js';
import type { ModelDefinition } from '../models/model.js';
import { ModelScope } from '../models/model-scope.js';
import { createWeightArenas, type WeightArenas } from '../models/weight-arenas.js';
import { importTimm, type ModelWeights } from '../models/weights/timm-weights.js';
import type { View } from '../predict/views/view.js';
import { type Checkpoint, networkOf, readCheckpoint, unseenOf } from '../weights/checkpoint.js';
import { CheckpointError } from '../weights/checkpoint-error.js';
import { ClipError } from './clip-error.js';
import { ImageEncoder } from './image-encoder.js';
import type { ImageTextModel, ImageTextTraining, TextSide } from './image-text-model.js';
import { lookUpTexts, readTextTable, type TextTable } from './texts/text-table.js';

/**
 * A trained projection head as a model of images and texts: what `train` leaves of a run that is declared zero-shot. Texts
 * are embedded by the encoder that was trained along; or they are looked up among those that a frozen encoder embedded for
 * the run.
 */
export interface ProjectionFiles {
  readonly checkpoint: string;
  /** The run's prompts, and their embeddings where the head was given these. */
  readonly prompts: string;
  readonly texts: string;
}

/** What lies at a path, if it is a run or a checkpoint of ours; undefined for anything else. */
export async function findProjection(path: string): Promise<ProjectionFiles | undefined> {
  if (isHubAddress(path)) return undefined;
  const found = await stat(path).catch(() => undefined);
  const folder = found?.isDirectory() ? path : dirname(path);
  const checkpoint = found?.isDirectory() ? join(path, 'best.safetensors') : path;
  const files = {
    checkpoint,
    prompts: join(folder, 'prompts.yaml'),
    texts: join(folder, 'texts.safetensors'),
  };
  if (!checkpoint.endsWith('.safetensors') || !(await isFile(checkpoint))) return undefined;
  return files;
}

/** Texts that are embedded at once. */
const TEXT_BATCH = 256;

export class TrainedProjection implements ImageTextModel {
  readonly notes: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly training: ImageTextTraining;
  readonly #device: Device;
  readonly #definition: ModelDefinition;
  readonly #arenas: WeightArenas<Arena>;
  readonly #images: ImageEncoder;
  readonly #texts: TextSide;

  private constructor(parts: {
    device: Device;
    definition: ModelDefinition;
    arenas: WeightArenas<Arena>;
    images: ImageEncoder;
    preprocessing: Preprocessing;
    training: ImageTextTraining;
    given: TextTable | undefined;
    textDigest: string;
    texts: string;
  }) {
    const { given, textDigest } = parts;
    this.#device = parts.device;
    this.#definition = parts.definition;
    this.#arenas = parts.arenas;
    this.#images = parts.images;
    this.preprocessing = parts.preprocessing;
    this.training = parts.training;
    this.notes = [];
    this.#texts = {
      digest: () => textDigest,
      encode: given
        ? async (texts) => lookUpTexts(given, texts, parts.texts)
        : (texts) => this.#encodeWords(texts),
    };
  }

  /**
   * @returns undefined where the file is no checkpoint of ours
   * @throws ClipError where its head compares nothing with texts; CheckpointError, OutOfMemoryError
   */
  static async open(
    device: Device,
    files: ProjectionFiles,
    batchSize: number,
  ): Promise<TrainedProjection | undefined> {
    const checkpoint = await ownCheckpoint(files.checkpoint);
    if (!checkpoint) return undefined;
    const definition = networkOf(checkpoint);
    const embeddings = projectionOptions(definition.config.head)?.embeddings ?? 'learned';
    if (embeddings === 'learned') {
      throw new ClipError(
        `${files.checkpoint}: its head (${definition.config.head.name}) compares images with no texts: train one with ` +
          'model.head: projection and the section zeroshot, as recipes/projection-phantoms.yaml does.',
      );
    }
    const weights = importTimm(definition, checkpoint.tensors);
    const given = embeddings === 'fixed' ? await readTextTable(files.texts) : undefined;
    const arenas = await createWeightArenas(device, definition, weights);
    const { preprocessing } = checkpoint;
    const images = new ImageEncoder(device, {
      trace: (graph, pictures) => embeddingOf(definition, graph, pictures),
      arenas,
      preprocessing,
      batchSize,
    });
    return new TrainedProjection({
      device,
      definition,
      arenas,
      images,
      preprocessing,
      training: {
        classes: checkpoint.classes,
        unseen: unseenOf(checkpoint),
        prompts: (await isFile(files.prompts)) ? files.prompts : undefined,
      },
      given,
      textDigest: given
        ? digestOf([given.embeddings], JSON.stringify(given.texts))
        : digestOf(textParameters(definition, weights)),
      texts: files.texts,
    });
  }

  get width(): number {
    return Number(this.#definition.config.head.dims);
  }

  encodeImages(pixels: GreyPixels, view?: View): Promise<Float32Array> {
    return this.#images.encode(pixels, view);
  }

  textSide(): TextSide {
    return this.#texts;
  }

  async destroy(): Promise<void> {
    await this.#images.destroy();
    this.#arenas.params.destroy();
    this.#arenas.stats.destroy();
  }

  async #encodeWords(texts: readonly string[]): Promise<Float32Array> {
    const result = new Float32Array(texts.length * this.width);
    for (let first = 0; first < texts.length; first += TEXT_BATCH) {
      const graph = new Graph();
      const scope = new ModelScope(graph, { mode: 'eval' });
      const embedded = traceTexts(
        scope,
        texts.slice(first, first + TEXT_BATCH),
        this.#definition.config.head,
      );
      const program = await compile(this.#device, {
        graph,
        outputs: [embedded],
        arenas: { ...this.#arenas },
      });
      try {
        program.run({});
        result.set(await program.read(embedded), first * this.width);
      } finally {
        program.destroy();
      }
    }
    return result;
  }
}

/** The network as far as its embedding of an image. */
function embeddingOf(definition: ModelDefinition, graph: Graph, images: Tensor): Tensor {
  const { embedding } = definition.trace(graph, images, 'eval');
  if (!embedding) throw new RangeError(`the head ${definition.config.head.name} gave no embedding`);
  return embedding;
}

async function ownCheckpoint(path: string): Promise<Checkpoint | undefined> {
  try {
    return await readCheckpoint(path);
  } catch (error) {
    if (error instanceof CheckpointError && error.kind === 'foreign') return undefined;
    throw error;
  }
}

/** The parameters of the encoder of words, in their order. */
function textParameters(definition: ModelDefinition, { parameters }: ModelWeights): Float32Array[] {
  const scope = new ModelScope(new Graph(), { mode: 'eval' });
  traceTexts(scope, ['finding'], definition.config.head);
  return scope.parameters.flatMap(({ name }) => parameters.get(name) ?? []);
}

/** @param texts whose embeddings the values are, where that is not for the values to say */
function digestOf(values: readonly Float32Array[], texts = ''): string {
  const hash = createHash('sha256').update(texts);
  for (const part of values) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return hash.digest('hex');
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
