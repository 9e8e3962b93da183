import type { AcceptedAdapter } from '#src/platform/node/adapter-report.js';
import { openAdapter } from '#src/platform/node/open-adapter.js';
import { throttledWait, throttleFor, type Wait } from '#src/platform/node/throttled-wait.js';

/**
 * What makes a comparison in one process fair: the other libraries get tailray's adapter, and wait for it as tailray
 * does. Both come before any of them is loaded.
 */

/**
 * To be called once.
 * @param choice as `openAdapter` takes it
 * @returns the adapter that all will get
 */
export async function shareAdapter(choice: string | undefined): Promise<AcceptedAdapter> {
  // This also defines WebGPU's classes.
  const { report } = await openAdapter(choice);
  const gpu = {
    // An adapter gives one device: each library gets a fresh one of the same choice.
    requestAdapter: async () => (await openAdapter(choice)).adapter,
    getPreferredCanvasFormat: () => 'bgra8unorm',
    wgslLanguageFeatures: new Set<string>(),
  };
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { gpu, userAgent: 'node', hardwareConcurrency: 1 },
  });
  const wait = throttledWait(throttleFor(report.kind));
  waitThrottled(wait, GPUQueue.prototype, 'onSubmittedWorkDone');
  waitThrottled(wait, GPUBuffer.prototype, 'mapAsync');
  return report;
}

/** A spinning wait takes a core from a software adapter, see throttled-wait.ts: it would halve a library's speed. */
function waitThrottled<Name extends string>(
  throttled: Wait,
  prototype: Record<Name, (...parameters: never[]) => Promise<undefined>>,
  name: Name,
): void {
  const wait = prototype[name] as (...parameters: unknown[]) => Promise<undefined>;
  Object.assign(prototype, {
    [name](this: unknown, ...parameters: unknown[]) {
      return throttled(wait.apply(this, parameters));
    },
  });
}
