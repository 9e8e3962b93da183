import { describe, expect, test } from 'vitest';
import { inFlight } from '../../src/predict/in-flight.js';

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Work that is done when it is told to be, and notes what was begun. */
function controlled() {
  const begun: number[] = [];
  const finish = new Map<number, { resolve: (value: string) => void; reject: (error: Error) => void }>();
  const work = (item: number) => {
    begun.push(item);
    return new Promise<string>((resolve, reject) => finish.set(item, { resolve, reject }));
  };
  return { begun, finish, work };
}

describe('work in flight', () => {
  test('is begun ahead of what is read, so far and no further, and comes in order', async () => {
    const { begun, finish, work } = controlled();
    const got: string[] = [];
    const all = (async () => {
      for await (const result of inFlight([0, 1, 2, 3, 4], work)) got.push(result);
    })();
    await turn();
    expect(begun).toEqual([0, 1, 2]);
    finish.get(1)?.resolve('b');
    await turn();
    expect([got, begun]).toEqual([[], [0, 1, 2]]);
    finish.get(0)?.resolve('a');
    await turn();
    expect([got, begun]).toEqual([
      ['a', 'b'],
      [0, 1, 2, 3, 4],
    ]);
    for (const item of [4, 3, 2]) finish.get(item)?.resolve(`${item}`);
    await all;
    expect(got).toEqual(['a', 'b', '2', '3', '4']);
  });

  test('comes to rest before a failure is told, or the loop is left', async () => {
    const { finish, work } = controlled();
    let ended = false;
    const failing = (async () => {
      for await (const _ of inFlight([0, 1, 2, 3], work));
    })().finally(() => (ended = true));
    failing.catch(() => undefined);
    await turn();
    finish.get(1)?.reject(new Error('later'));
    finish.get(0)?.reject(new Error('first'));
    await turn();
    expect(ended).toBe(false);
    finish.get(2)?.resolve('c');
    await expect(failing).rejects.toThrow('first');
  });
});
