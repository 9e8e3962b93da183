import { TailrayError } from '../engine/errors.js';
import type { Dataset } from './dataset.js';
import { type Augmentation, applyAugmentation, drawAugmentation } from './images/augment.js';
import { type GreyPixels, greyPixels, greyValues } from './images/prepare.js';
import { normaliseInto } from './images/preprocessing.js';

/**
 * Batches for a network with a fixed batch size, made ready while the GPU works on earlier ones. What a batch holds
 * depends on its number alone, never on timing, so an epoch can be entered at any batch with the same bytes.
 */

export interface Batch {
  /** Number of the batch in the epoch, from 0. */
  readonly index: number;
  /** [batchSize, height, width], by `preprocessing.bits`, as prepared; padding is 0. */
  readonly pixels: GreyPixels;
  /** [batchSize, height, width, channels], augmented and normalised; padding is 0. */
  readonly images: Float32Array;
  /** [batchSize, classes]: 1, 0, NaN = unknown; padding is NaN, which losses and metrics mask out. */
  readonly targets: Float32Array;
  /** [batchSize]: rows of the table; padding is −1. */
  readonly rows: Int32Array;
  /** How many samples are real; they come first. */
  readonly valid: number;
}

export interface BatchLoaderOptions {
  dataset: Dataset;
  /** Positions of the data set in the order to visit, for one epoch (see sampler.ts); all in order when absent. */
  order?: Int32Array;
  batchSize: number;
  /** What to do with the last samples when they don't fill a batch: leave them out, or pad. */
  lastBatch: 'drop' | 'pad';
  augmentation?: Augmentation;
  /** Of the augmentation's random numbers; default 0. */
  seed?: number;
  /** Of the augmentation's random numbers; default 0. */
  epoch?: number;
  /** Batches to keep ready or in the making; default 3. */
  prefetch?: number;
  /** First batch to yield; default 0. */
  startBatch?: number;
}

/** One pass over one epoch: `for await (const batch of loader) …`. Leaving the loop early closes it. */
export class BatchLoader implements AsyncIterable<Batch> {
  /** Batches in the whole epoch, those before `startBatch` included. */
  readonly batches: number;
  readonly #options: BatchLoaderOptions;
  readonly #order: Int32Array;
  #closed = false;

  /** @throws TailrayError when an option makes no sense */
  constructor(options: BatchLoaderOptions) {
    const { batchSize, prefetch = 3, startBatch = 0 } = options;
    for (const [name, value, least] of [
      ['batchSize', batchSize, 1],
      ['prefetch', prefetch, 1],
      ['startBatch', startBatch, 0],
    ] as const) {
      if (!Number.isInteger(value) || value < least) {
        throw new TailrayError(`${name} must be a whole number of at least ${least}, not ${value}.`);
      }
    }
    this.#options = options;
    this.#order = options.order ?? Int32Array.from({ length: options.dataset.length }, (_, i) => i);
    const full = this.#order.length / batchSize;
    this.batches = options.lastBatch === 'drop' ? Math.floor(full) : Math.ceil(full);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const ahead: Promise<Batch>[] = [];
    let next = this.#options.startBatch ?? 0;
    const fill = () => {
      while (!this.#closed && next < this.batches && ahead.length < (this.#options.prefetch ?? 3)) {
        const making = this.#make(next++);
        // it is awaited in its turn; until then, a failure must not count as unhandled
        making.catch(() => undefined);
        ahead.push(making);
      }
    };
    try {
      for (fill(); ahead.length > 0 && !this.#closed; fill()) {
        const batch = await ahead.shift();
        if (batch !== undefined && !this.#closed) yield batch;
      }
    } finally {
      this.#closed = true;
      await Promise.allSettled(ahead);
    }
  }

  /** Starts no further batch; a running `for await` ends after the batch in hand. */
  close(): void {
    this.#closed = true;
  }

  async #make(index: number): Promise<Batch> {
    const { dataset, batchSize, augmentation, seed = 0, epoch = 0 } = this.#options;
    const [height, width, channels] = dataset.imageShape;
    const pixels = height * width * channels;
    const classes = dataset.classes.length;
    const from = index * batchSize;
    const positions = this.#order.subarray(from, from + batchSize);
    const prepared = greyPixels(dataset.preprocessing.bits, batchSize * height * width);
    const images = new Float32Array(batchSize * pixels);
    const targets = new Float32Array(batchSize * classes).fill(Number.NaN);
    const rows = new Int32Array(batchSize).fill(-1);
    const load = async (position: number, i: number) => {
      const own = await dataset.loadPixels(position);
      prepared.set(own, i * height * width);
      const loaded = greyValues(own);
      const size = [height, width] as const;
      const draw = augmentation && drawAugmentation(augmentation, size, { seed, epoch, slot: from + i });
      const grey = draw === undefined ? loaded : applyAugmentation(loaded, size, draw);
      normaliseInto(grey, dataset.preprocessing, images, i * pixels);
      targets.set(dataset.labels(position), i * classes);
      rows[i] = dataset.indices[position] ?? -1;
    };
    const loads = Array.from(positions, load);
    // all must have come to rest before one failure is reported: nothing may work on behind the caller's back
    const failure = (await Promise.allSettled(loads)).find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    return { index, pixels: prepared, images, targets, rows, valid: positions.length };
  }
}
