import { type GreyPixels, greyPixels } from '../data/images/prepare.js';
import type { ArenaPlan } from '../engine/arena.js';
import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { Graph, type Tensor } from '../engine/graph/tensor.js';
import type { Program } from '../engine/run/program.js';
import { type ImageFormat, ImageInput, requireDepth } from '../predict/image-input.js';
import { inFlight } from '../predict/in-flight.js';
import type { View } from '../predict/views/view.js';
import { ClipError } from './clip-error.js';

/** The network of a model's image side, bound to its weights. */
export interface ImageEncoderOptions {
  /** @param images [n, h, w, channels], normalised @returns their embeddings [n, width] */
  readonly trace: (graph: Graph, images: Tensor) => Tensor;
  readonly arenas: { readonly params: ArenaPlan; readonly stats?: ArenaPlan };
  readonly preprocessing: ImageFormat;
  /** Images computed at a time. Does not change the embeddings. */
  readonly batchSize: number;
}

interface Compiled {
  readonly program: Program;
  readonly input: ImageInput;
  readonly embedding: Tensor;
}

/** Embeds any number of prepared pictures. A program that shows views is compiled at the first view that is asked for. */
export class ImageEncoder {
  readonly #device: Device;
  readonly #options: ImageEncoderOptions;
  /** Without views, and with them. */
  readonly #programs = new Map<boolean, Promise<Compiled>>();

  constructor(device: Device, options: ImageEncoderOptions) {
    this.#device = device;
    this.#options = options;
  }

  /**
   * @param pixels [n, h, w] of the preprocessing's bits @param view absent: the images as they are @returns [n, width]
   * @throws ClipError where the pixels are no whole images; ShapeError for pixels of another depth
   */
  async encode(pixels: GreyPixels, view?: View): Promise<Float32Array> {
    const { preprocessing, batchSize } = this.#options;
    const { size, bits } = preprocessing;
    const perImage = size[0] * size[1];
    const n = pixels.length / perImage;
    if (!Number.isInteger(n)) {
      throw new ClipError(`${pixels.length} pixels are no whole images of ${size[0]} × ${size[1]}.`);
    }
    requireDepth(pixels, preprocessing);
    const { program, input, embedding } = await this.#compiled(view !== undefined);
    const width = embedding.shape[1] ?? 0;
    const result = new Float32Array(n * width);
    const firsts = Array.from({ length: Math.ceil(n / batchSize) }, (_, i) => i * batchSize);
    const embedded = inFlight(firsts, async (first) => {
      const batch = greyPixels(bits, batchSize * perImage);
      batch.set(pixels.subarray(first * perImage, (first + batchSize) * perImage));
      program.run(input.feeds(batch, view));
      return { first, embeddings: await program.read(embedding) };
    });
    for await (const { first, embeddings } of embedded) {
      result.set(embeddings.subarray(0, (n - first) * width), first * width);
    }
    return result;
  }

  /** The weights are their owner's. */
  async destroy(): Promise<void> {
    for (const compiled of this.#programs.values()) {
      // one that could not be compiled has nothing to free
      const { program } = (await compiled.catch(() => undefined)) ?? {};
      program?.destroy();
    }
  }

  #compiled(views: boolean): Promise<Compiled> {
    const known = this.#programs.get(views);
    if (known) return known;
    const compiled = this.#compile(views);
    this.#programs.set(views, compiled);
    return compiled;
  }

  async #compile(views: boolean): Promise<Compiled> {
    const { trace, arenas, preprocessing, batchSize } = this.#options;
    const graph = new Graph();
    const input = new ImageInput(graph, { preprocessing, batchSize, views });
    const embedding = trace(graph, input.images);
    const program = await compile(this.#device, { graph, outputs: [embedding], arenas: { ...arenas } });
    return { program, input, embedding };
  }
}
