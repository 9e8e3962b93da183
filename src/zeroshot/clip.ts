import { createHash } from 'node:crypto';
import type { GreyPixels } from '../data/images/prepare.js';
import type { Preprocessing } from '../data/images/preprocessing.js';
import type { Arena } from '../engine/arena.js';
import type { Device } from '../engine/device.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { CLIPS, type ClipConfig, checked } from '../models/clip/clip-config.js';
import { clipWeights, hasTextTower } from '../models/clip/clip-weights.js';
import { imageTower } from '../models/clip/image-tower.js';
import { embeddedTextTower, TOKEN_TABLE, textTower } from '../models/clip/text-tower.js';
import { initialParameters } from '../models/model.js';
import { createWeightArenas } from '../models/weight-arenas.js';
import type { Grid } from '../models/weights/positions.js';
import type { ModelTensors } from '../models/weights/timm-weights.js';
import { inFlight } from '../predict/in-flight.js';
import { NetworkProgram } from '../predict/network-program.js';
import type { View } from '../predict/views/view.js';
import { readWeights } from '../weights/checkpoint.js';
import { ClipError } from './clip-error.js';
import { findClip, tokenizerAt } from './clip-files.js';
import { ImageEncoder } from './image-encoder.js';
import type { ImageTextModel, TextSide } from './image-text-model.js';
import { ClipTokenizer } from './tokens/tokenizer.js';
import type { TokenizerSource } from './tokens/tokenizer-files.js';

/** A CLIP to call from code: images and texts in, embeddings of length 1 out. */
export interface CreateClipOptions {
  /** A folder with config, weights and tokenizer; a file of weights beside them; or `hf-hub:owner/name`. */
  readonly weights?: string;
  /** Without `weights`: the towers, by open_clip's name (`ViT-B-32`) or as sizes, with fresh weights. */
  readonly config?: string | ClipConfig;
  /** Side of the images in pixels, a multiple of the patch; those of the config when absent. Positions are resampled. */
  readonly imageSize?: number | undefined;
  /** Instead of the tokenizer beside the weights: files, or `hf-hub:owner/name`. */
  readonly tokenizer?: TokenizerSource;
  /** How grey values become 0 to 1; default: between two percentiles, as for images that use a part of their range. */
  readonly window?: Preprocessing['window'] | undefined;
  /** Of fresh weights; default 0. */
  readonly seed?: number;
  /** Images, or texts, that are computed at a time. Default 8. Does not change the embeddings. */
  readonly batchSize?: number;
  /** How a hub is asked. */
  readonly hub?: HubOptions;
}

/**
 * Puts a CLIP on a device, frozen.
 * @throws ClipError, ModelError, CheckpointError, WeightsError, TokenizerError, HubError for files that do not fit
 */
export async function createClip(device: Device, options: CreateClipOptions): Promise<Clip> {
  const { weights, config: given, tokenizer: ownTokenizer, seed = 0, batchSize = 8, hub } = options;
  if ((weights === undefined) === (given === undefined)) {
    throw new ClipError('createClip needs weights, or a config for fresh ones, and not both.');
  }
  const files = weights === undefined ? undefined : await findClip(weights, hub);
  const trained = files?.config ?? configOf(given);
  const config = withImageSize(trained, options.imageSize);
  const [image, text] = [imageTower(config).parameters, textTower(config).parameters];
  const notes = [...(files?.notes ?? [])];
  let values: ReadonlyMap<string, Float32Array>;
  if (files) {
    const { tensors } = await readWeights(files.weights);
    const grids = { from: gridOf(trained), to: gridOf(config) };
    const same = grids.from.rows === grids.to.rows && grids.from.columns === grids.to.columns;
    const parameters = hasTextTower(text, tensors) ? [...image, ...text] : image;
    values = clipWeights(parameters, tensors, same ? undefined : grids).parameters;
    if (!same) notes.push(`positions of ${sides(grids.from)} patches are resized to ${sides(grids.to)}.`);
  } else {
    values = initialParameters({ parameters: [...image, ...text] }, seed);
  }
  const source = ownTokenizer === undefined ? files?.tokenizer : await tokenizerAt(ownTokenizer, hub);
  const table = values.get(TOKEN_TABLE);
  const tokenizer =
    source === undefined || table === undefined
      ? undefined
      : await ClipTokenizer.fromFiles(source, {
          context: config.text.context,
          vocabularySize: config.text.vocabulary,
        });
  return new Clip(device, { config, values, table, tokenizer, batchSize, notes, window: options.window });
}

/** @throws ClipError where the size is no multiple of the patch */
function withImageSize(config: ClipConfig, size: number | undefined): ClipConfig {
  if (size === undefined) return config;
  const { patch } = config.image;
  if (!(Number.isInteger(size) && size > 0 && size % patch === 0)) {
    const below = Math.max(1, Math.floor(size / patch)) * patch;
    throw new ClipError(
      `image size ${size}: is no multiple of the patch of ${patch} pixels; ${below} and ${below + patch} are.`,
    );
  }
  return { ...config, image: { ...config.image, size: [size, size] } };
}

function gridOf({ image: { size, patch } }: ClipConfig): Grid {
  return { rows: size[0] / patch, columns: size[1] / patch };
}

function sides({ rows, columns }: Grid): string {
  return `${rows} × ${columns}`;
}

function configOf(given: string | ClipConfig | undefined): ClipConfig {
  if (typeof given === 'object') return checked(given);
  const name = given ?? '';
  const known = Object.hasOwn(CLIPS, name) ? CLIPS[name] : undefined;
  if (known) return known;
  throw new ClipError(`there is no CLIP "${name}"; there are ${Object.keys(CLIPS).join(', ')}.`);
}

interface ClipParts {
  readonly window: Preprocessing['window'] | undefined;
  readonly config: ClipConfig;
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Absent where the weights are those of an image tower alone. */
  readonly table: Float32Array | undefined;
  readonly tokenizer: ClipTokenizer | undefined;
  readonly batchSize: number;
  readonly notes: readonly string[];
}

interface ImageTower {
  readonly encoder: ImageEncoder;
  readonly params: Arena;
}

interface TextTower {
  readonly program: NetworkProgram<'embedded' | 'ends', 'embedding'>;
  readonly params: Arena;
}

export class Clip implements ImageTextModel {
  readonly config: ClipConfig;
  /** Sentences about where the files came from. */
  readonly notes: readonly string[];
  readonly #device: Device;
  readonly #parts: ClipParts;
  #image: Promise<ImageTower> | undefined;
  #text: Promise<TextTower> | undefined;

  /** Use `createClip`. */
  constructor(device: Device, parts: ClipParts) {
    this.#device = device;
    this.#parts = parts;
    this.config = parts.config;
    this.notes = parts.notes;
  }

  /** Values of an embedding. */
  get width(): number {
    return this.config.embedding;
  }

  /** Grey values between two percentiles become 0 to 1: radiographs use a part of their range. */
  get preprocessing(): Preprocessing {
    const { image, preprocessing } = this.config;
    return {
      size: [image.size[0], image.size[1]],
      channels: 3,
      window: this.#parts.window ?? { kind: 'percentile', low: 0.5, high: 99.5 },
      resize: 'bilinear',
      bits: 16,
      mean: [...preprocessing.mean],
      std: [...preprocessing.std],
    };
  }

  /** Undefined where none lies beside the weights. */
  get tokenizer(): ClipTokenizer | undefined {
    return this.#parts.tokenizer;
  }

  /**
   * @param pixels [n, height, width] of the config's size, grey, prepared by `preprocessing` (as `prepareImage` does)
   * @param view how the images are shown; absent: as they are
   * @returns [n, width], each of length 1
   * @throws ClipError where the pixels are no whole images; ShapeError for pixels of another depth
   */
  async encodeImages(pixels: GreyPixels, view?: View): Promise<Float32Array> {
    this.#image ??= this.#openImage();
    return (await this.#image).encoder.encode(pixels, view);
  }

  /**
   * @returns [texts, width], each of length 1
   * @throws ClipError where the CLIP came without a text tower or a tokenizer
   */
  async encodeTexts(texts: readonly string[]): Promise<Float32Array> {
    return this.textSide().encode(texts);
  }

  /** @throws ClipError where the CLIP came without a text tower or a tokenizer */
  textSide(): TextSide {
    this.#tokenTable();
    const { tokenizer } = this.#parts;
    if (!tokenizer) {
      throw new ClipError(
        'no tokenizer lies beside the weights (tokenizer.json, or vocab.json and merges.txt): name one.',
      );
    }
    return {
      encode: async (texts) => {
        const { tokens, ends } = tokenizer.encode(texts);
        return this.encodeTokens(tokens, ends);
      },
      digest: () => this.textDigest(),
    };
  }

  /** The same for texts that are tokens already. @param tokens [n, context] @param ends [n]: place of the first end-of-text token */
  async encodeTokens(tokens: Uint32Array, ends: Uint32Array): Promise<Float32Array> {
    const table = this.#tokenTable();
    const { context, vocabulary, width } = this.config.text;
    if (tokens.length !== ends.length * context) {
      throw new ClipError(`${tokens.length} tokens are not ${ends.length} texts of ${context}.`);
    }
    const beyond = ends.findIndex((end) => end >= context);
    if (beyond >= 0) {
      throw new ClipError(
        `text ${beyond} ends at token ${ends[beyond]}; its tokens are 0 to ${context - 1}, with an end-of-text token.`,
      );
    }
    const outside = tokens.find((token) => token >= vocabulary);
    if (outside !== undefined)
      throw new ClipError(`token ${outside} is none of the ${vocabulary} of the model.`);
    this.#text ??= this.#openText();
    const { program } = await this.#text;
    const { batchSize } = this.#parts;
    const result = new Float32Array(ends.length * this.width);
    const firsts = Array.from({ length: Math.ceil(ends.length / batchSize) }, (_, i) => i * batchSize);
    const batches = inFlight(firsts, async (first) => {
      const count = Math.min(batchSize, ends.length - first);
      const embedded = new Float32Array(count * context * width);
      for (let i = 0; i < count * context; i++) {
        const token = tokens[first * context + i] ?? 0;
        embedded.set(table.subarray(token * width, (token + 1) * width), i * width);
      }
      // places among all tokens of the batch
      const places = ends.slice(first, first + count).map((end, i) => i * context + end);
      return { first, ...(await program.run({ embedded, ends: places }, count)) };
    });
    for await (const { first, embedding } of batches) result.set(embedding, first * this.width);
    return result;
  }

  /** SHA-256 of all that decides the embedding of a text: the text tower's values, its sizes, the tokenizer. */
  textDigest(): string {
    const table = this.#tokenTable();
    const { tokenizer } = this.#parts;
    const hash = createHash('sha256');
    const { text, embedding, activation } = this.config;
    hash.update(JSON.stringify({ text, embedding, activation, tokenizer: tokenizer?.digest ?? null }));
    hash.update(bytesOf(table));
    for (const { name } of embeddedTextTower(this.config).parameters) {
      hash.update(name);
      hash.update(bytesOf(this.#valuesOf(name)));
    }
    return hash.digest('hex');
  }

  /** Frees the weights and everything compiled. */
  async destroy(): Promise<void> {
    const [image, text] = [await this.#image, await this.#text];
    await image?.encoder.destroy();
    text?.program.destroy();
    for (const tower of [image, text]) tower?.params.destroy();
  }

  #tokenTable(): Float32Array {
    const { table } = this.#parts;
    if (table) return table;
    throw new ClipError(
      'the weights hold an image tower and no text tower: they embed images only. Take weights with both towers.',
    );
  }

  #valuesOf(name: string): Float32Array {
    const values = this.#parts.values.get(name);
    if (!values) throw new RangeError(`there are no values for ${name}`);
    return values;
  }

  async #openImage(): Promise<ImageTower> {
    const tower = imageTower(this.config);
    const params = await this.#weightsOf(tower);
    const encoder = new ImageEncoder(this.#device, {
      trace: (graph, images) => tower.trace(graph, { images }, { mode: 'eval' }).outputs.embedding,
      arenas: { params },
      preprocessing: this.preprocessing,
      batchSize: this.#parts.batchSize,
    });
    return { encoder, params };
  }

  async #openText(): Promise<TextTower> {
    const network = embeddedTextTower(this.config);
    const params = await this.#weightsOf(network);
    const { batchSize } = this.#parts;
    const program = await NetworkProgram.create(this.#device, { network, batchSize, arenas: { params } });
    return { program, params };
  }

  async #weightsOf(network: ModelTensors): Promise<Arena> {
    const parameters = new Map(network.parameters.map(({ name }) => [name, this.#valuesOf(name)]));
    return (await createWeightArenas(this.#device, network, { parameters, statistics: new Map() })).params;
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
