import type { AdapterKind } from '../../engine/graph/tensor.js';

/**
 * Waiting for the GPU in node. While WebGPU work is pending, Dawn keeps node's event loop spinning at full load. Sleeping
 * a little in every turn gives that core to others: to the threads of a software adapter, which compute on it, and to those
 * that prepare pictures.
 */
export interface Throttle {
  /** Milliseconds that a wait spins before its first nap: short waits end without a delay. */
  readonly spin: number;
  /** Milliseconds asleep between two looks at what is pending. */
  readonly nap: number;
}

/**
 * A software adapter needs the core at once: its work is what is waited for. A GPU does not, and a small read-back from it
 * takes some 0.1 ms, so a wait spins first. What takes longer is the wait of a training loop for a step to be done; then
 * other steps are queued behind it, and a nap costs the device nothing, while a spinning core would be missing to the
 * threads that decode pictures.
 */
export function throttleFor(adapter: AdapterKind): Throttle {
  return adapter === 'gpu' ? { spin: 0.5, nap: 0.1 } : { spin: 0, nap: 0.3 };
}

/** Resolves or rejects as the promise does. */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

/** The machine's, unless a test stands in for it. */
export interface WaitClock {
  now(): number;
  sleep(ms: number): void;
  /** Calls back in the next turn of the event loop. */
  nextTurn(look: () => void): void;
}

export function throttledWait({ spin, nap }: Throttle, clock: WaitClock = machine): Wait {
  let pending = 0;
  /** One loop sleeps for all that is pending: two would sleep twice a turn. */
  let dozing = false;
  let spinsUntil = 0;
  const doze = () => {
    if (pending === 0) {
      dozing = false;
      return;
    }
    if (clock.now() >= spinsUntil) clock.sleep(nap);
    clock.nextTurn(doze);
  };
  return async (promise) => {
    pending += 1;
    if (pending === 1) spinsUntil = clock.now() + spin;
    if (!dozing) {
      dozing = true;
      clock.nextTurn(doze);
    }
    try {
      return await promise;
    } finally {
      pending -= 1;
    }
  };
}

const cell = new Int32Array(new SharedArrayBuffer(4));

const machine: WaitClock = {
  now: () => performance.now(),
  sleep: (ms) => void Atomics.wait(cell, 0, 0, ms),
  nextTurn: (look) => void setImmediate(look),
};
