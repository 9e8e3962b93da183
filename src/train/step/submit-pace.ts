import type { Device } from '../../engine/device.js';
import type { DeviceTraits } from '../../engine/graph/tensor.js';

/**
 * Batches handed to the device that it has not finished. On a software adapter one at work, one waiting: a step takes far
 * longer than the host's part of it. A GPU's step may take a millisecond, and the host is held up for longer than that
 * now and then (a batch of pictures arrives, garbage is collected): some more wait there.
 */
const AHEAD: Readonly<Record<DeviceTraits['kind'], number>> = { software: 2, gpu: 4 };

/**
 * Keeps the host a little ahead of the device and no further: every batch handed over is held in memory until its turn,
 * and a progress display should show what is done, not what is queued.
 */
export class SubmitPace {
  /** After so many further submits, a submit is known to be done. */
  readonly ahead: number;
  readonly #done: Promise<void>[] = [];

  constructor(readonly device: Device) {
    this.ahead = AHEAD[device.traits.kind];
  }

  /** Resolves when another submit may follow; throws what the device reports of earlier ones. */
  async turn(): Promise<void> {
    if (this.#done.length >= this.ahead) await this.#done.shift();
  }

  /** To be called after each submit. */
  submitted(): void {
    const done = this.device.idle();
    // awaited in its turn; until then a failure must not count as unhandled
    done.catch(() => undefined);
    this.#done.push(done);
  }
}
