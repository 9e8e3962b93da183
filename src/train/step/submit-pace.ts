import type { Device } from '../../engine/device.js';

/** Batches handed to the device that it has not finished: one at work, one waiting. */
const AHEAD = 2;

/**
 * Keeps the host a little ahead of the device and no further: every batch handed over is held in memory until its turn,
 * and a progress display should show what is done, not what is queued.
 */
export class SubmitPace {
  readonly #done: Promise<void>[] = [];

  constructor(readonly device: Device) {}

  /** Resolves when another submit may follow; throws what the device reports of earlier ones. */
  async turn(): Promise<void> {
    if (this.#done.length >= AHEAD) await this.#done.shift();
  }

  /** To be called after each submit. */
  submitted(): void {
    const done = this.device.idle();
    // awaited in its turn; until then a failure must not count as unhandled
    done.catch(() => undefined);
    this.#done.push(done);
  }
}
