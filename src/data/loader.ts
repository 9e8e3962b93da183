import { TailrayError } from '../engine/errors.js';
import type { Dataset } from './dataset.js';
import { type Augmentation, type AugmentDraw, drawAugmentation, UNCHANGED } from './images/augment.js';
import { drawMix, isMixing, type Mix, mixLabels } from './images/mix.js';
import { type GreyPixels, greyPixels } from './images/prepare.js';

/**
 * Batches for a network with a fixed batch size, made ready while the GPU works on earlier ones. What a batch holds
 * depends on its number alone, never on timing, so an epoch can be entered at any batch with the same bytes.
 */

export interface Batch {
  /** Number of the batch in the epoch, from 0. */
  readonly index: number;
  /**
   * [planes, height, width], as prepared, by `preprocessing.bits`. A batch has `batchSize` planes; where pictures may be
   * mixed, twice as many, and each picture is followed by its partner. Planes that show nothing are black.
   */
  readonly pixels: GreyPixels;
  /** The drawn changes, one for each plane up to the last that shows something; empty without augmentation. */
  readonly changes: readonly AugmentDraw[];
  /** How each picture is mixed with its partner; empty where none can be. */
  readonly mixes: readonly (Mix | null)[];
  /** [batchSize, classes]: 1, 0, between the two where pictures are mixed; NaN = unknown, as all padding is. */
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
  #waitedMs = 0;

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
        const start = performance.now();
        const batch = await ahead.shift();
        this.#waitedMs += performance.now() - start;
        if (batch !== undefined && !this.#closed) yield batch;
      }
    } finally {
      this.#closed = true;
      await Promise.allSettled(ahead);
    }
  }

  /** Time for which whoever takes the batches has waited for them so far. */
  get waitedSeconds(): number {
    return this.#waitedMs / 1000;
  }

  /** Starts no further batch; a running `for await` ends after the batch in hand. */
  close(): void {
    this.#closed = true;
  }

  async #make(index: number): Promise<Batch> {
    const { dataset, batchSize, augmentation } = this.#options;
    const { size, bits } = dataset.preprocessing;
    const plane = size[0] * size[1];
    const classes = dataset.classes.length;
    const from = index * batchSize;
    const positions = this.#order.subarray(from, from + batchSize);
    const slots = Array.from(positions, (_, i) => from + i);
    const mixing = augmentation !== undefined && isMixing(augmentation);
    const mixes = mixing ? slots.map((slot) => this.#mix(augmentation, slot)) : [];
    // the slot that each plane shows; null for a partner that nobody asks for
    const shown = mixing ? slots.flatMap((slot, i) => [slot, mixes[i]?.partner ?? null]) : slots;
    const pixels = greyPixels(bits, batchSize * (mixing ? 2 : 1) * plane);
    const changes = augmentation ? shown.map((slot) => this.#draw(augmentation, slot)) : [];
    const load = async (slot: number | null, at: number) => {
      if (slot !== null) pixels.set(await dataset.loadPixels(this.#position(slot)), at * plane);
    };
    const loads = shown.map(load);
    // all must have come to rest before one failure is reported: nothing may work on behind the caller's back
    const failure = (await Promise.allSettled(loads)).find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    const targets = new Float32Array(batchSize * classes).fill(Number.NaN);
    const rows = new Int32Array(batchSize).fill(-1);
    for (const [i, position] of positions.entries()) {
      const labels = dataset.labels(position);
      const mix = mixes[i];
      const other = mix && dataset.labels(this.#position(mix.partner));
      targets.set(mix && other ? mixLabels(labels, other, mix.own) : labels, i * classes);
      rows[i] = dataset.indices[position] ?? -1;
    }
    return { index, pixels, changes, mixes, targets, rows, valid: positions.length };
  }

  #draw(augmentation: Augmentation, slot: number | null): AugmentDraw {
    const { dataset, seed = 0, epoch = 0 } = this.#options;
    if (slot === null) return UNCHANGED;
    return drawAugmentation(augmentation, dataset.preprocessing.size, { seed, epoch, slot });
  }

  #mix(augmentation: Augmentation, slot: number): Mix | null {
    const { dataset, seed = 0, epoch = 0 } = this.#options;
    const slots = this.#order.length;
    return drawMix(augmentation, dataset.preprocessing.size, { seed, epoch, slot, slots });
  }

  /** The position of the data set that a slot of the epoch shows. */
  #position(slot: number): number {
    const position = this.#order[slot];
    if (position === undefined) throw new RangeError(`slot ${slot} of an epoch of ${this.#order.length}`);
    return position;
  }
}
