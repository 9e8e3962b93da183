import { describe, expect, test } from 'vitest';
import { throttledWait, throttleFor } from '../../../src/platform/node/throttled-wait.js';

/** A machine whose turns of the event loop take no time by themselves, or so many milliseconds. */
function machine(turnMs = 0) {
  let now = 0;
  let look: (() => void) | undefined;
  const naps: number[] = [];
  const clock = {
    now: () => now,
    sleep(ms: number) {
      naps.push(ms);
      now += ms;
    },
    nextTurn(next: () => void) {
      expect(look).toBeUndefined();
      look = next;
    },
  };
  const turn = () => {
    now += turnMs;
    const due = look;
    look = undefined;
    due?.();
  };
  return { clock, naps, turn, isWatching: () => look !== undefined };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('a throttled wait', () => {
  test('sleeps in every turn on software adapters', () => {
    const { clock, naps, turn } = machine();
    void throttledWait(throttleFor('lavapipe'), clock)(new Promise(() => undefined));
    for (let i = 0; i < 5; i++) turn();
    expect(naps).toEqual([0.3, 0.3, 0.3, 0.3, 0.3]);
    expect(throttleFor('swiftshader')).toEqual(throttleFor('software'));
  });

  test('spins for short waits on a GPU, and leaves the core to others in long ones', async () => {
    const { clock, naps, turn, isWatching } = machine(0.05);
    const wait = throttledWait(throttleFor('gpu'), clock);
    let resolve = (_: number) => {};
    const waited = wait(new Promise<number>((done) => (resolve = done)));
    for (let i = 0; i < 9; i++) turn();
    expect(naps).toEqual([]);
    for (let i = 0; i < 5; i++) turn();
    expect(naps.length).toBeGreaterThanOrEqual(4);
    resolve(7);
    expect(await waited).toBe(7);
    turn();
    expect(isWatching()).toBe(false);
    // the next wait spins anew
    const before = naps.length;
    void wait(new Promise(() => undefined));
    for (let i = 0; i < 5; i++) turn();
    expect(naps.length).toBe(before);
  });

  test('naps once a turn for all that is pending, and not at all when nothing is', async () => {
    const { clock, naps, turn, isWatching } = machine();
    const wait = throttledWait(throttleFor('lavapipe'), clock);
    let reject = (_: Error) => {};
    const failing = wait(new Promise<void>((_, refuse) => (reject = refuse)));
    const quick = wait(Promise.resolve(1));
    turn();
    expect(naps.length).toBe(1);
    expect(await quick).toBe(1);
    reject(new Error('lost'));
    await expect(failing).rejects.toThrow('lost');
    await settled();
    turn();
    expect([naps.length, isWatching()]).toEqual([1, false]);
  });
});
