/**
 * Waiting for the GPU in node. While WebGPU work is pending, Dawn keeps node's event loop spinning at full load.
 * Sleeping a little in every turn gives that core to the software adapter's own threads.
 */

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Milliseconds asleep between two looks at what is pending: long enough to leave the core, too short to notice. */
const NAP = 0.3;

let pending = 0;
/** One loop sleeps for all that is pending: two would sleep twice a turn. */
let dozing = false;

/** Resolves or rejects as `promise` does. */
export async function throttledWait<T>(promise: Promise<T>): Promise<T> {
  pending += 1;
  if (!dozing) {
    dozing = true;
    setImmediate(doze);
  }
  try {
    return await promise;
  } finally {
    pending -= 1;
  }
}

function doze(): void {
  if (pending === 0) {
    dozing = false;
    return;
  }
  Atomics.wait(clock, 0, 0, NAP);
  setImmediate(doze);
}
