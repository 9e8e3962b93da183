/**
 * Ctrl-C in two stages: the first asks the work in hand to finish and save, the second ends the process at once.
 * Also for SIGTERM, which a cluster sends before it takes the machine away.
 */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #onSignal = () => {
    if (this.#controller.signal.aborted || !this.#patient) process.exit(INTERRUPTED);
    process.stderr.write(`\n${this.message}\n`);
    this.#controller.abort(new DOMException('interrupted', 'AbortError'));
  };
  /** Whether there is something to finish; otherwise the first signal ends the process as well. */
  #patient = false;

  constructor(readonly message: string) {
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  /** Does what the first Ctrl-C does, for those who ask in another way; nothing when it was done already. */
  request(): void {
    if (!this.#controller.signal.aborted) this.#onSignal();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From here on the first signal only sets `signal`. */
  protect(): void {
    this.#patient = true;
  }

  /** Gives the signals back their usual effect. */
  release(): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
  }
}

/** Exit code of a process that was interrupted, as shells have it for SIGINT. */
export const INTERRUPTED = 130;
