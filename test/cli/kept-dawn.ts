/**
 * For tests that run a command in this process and then forget its modules, to run it anew: Dawn crashes the process when
 * its entry points are collected while a device lives, and the module that holds them is forgotten, too.
 */
const kept: unknown[] = [];

/** Before `vi.resetModules()`. */
export async function keepDawn(): Promise<void> {
  kept.push(await import('../../src/platform/node/dawn.js'));
}
