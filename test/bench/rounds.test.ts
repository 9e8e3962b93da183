import { describe, expect, test } from 'vitest';
import type { Entrant } from '../../bench/entrant.js';
import { repeatsFor, type Turn, timedRounds } from '../../bench/rounds.js';
import type { Who } from '../../bench/workload.js';

/** Sleeps that many milliseconds a repetition, and writes down its turns. */
function sleeper(who: Who, ms: number, turns: string[], more: Partial<Entrant> = {}): Entrant {
  return {
    round: async (repeats) => {
      turns.push(who);
      await new Promise((resolve) => setTimeout(resolve, ms * repeats));
    },
    results: async () => [],
    peakBytes: null,
    dispose: () => undefined,
    ...more,
  };
}

describe('timed rounds', () => {
  test('everyone takes turns, once a round, and time is of one repetition', async () => {
    const order: string[] = [];
    const turns: Turn[] = [
      { who: 'tailray', entrant: sleeper('tailray', 5, order), repeats: 4 },
      { who: 'jax-js', entrant: sleeper('jax-js', 40, order), repeats: 1 },
    ];
    const times = await timedRounds('sleep', turns, 3);
    expect(order).toEqual(['tailray', 'jax-js', 'tailray', 'jax-js', 'tailray', 'jax-js']);
    for (const ms of times.get('tailray') ?? []) expect(ms).toBeGreaterThan(4.5);
    for (const ms of times.get('jax-js') ?? []) expect(ms).toBeGreaterThan(39);
    expect(times.get('tailray')).toHaveLength(3);
  });

  test('an entrant may say what counts of a round', async () => {
    const entrant = sleeper('tailray', 1, [], { counted: () => 8 });
    const times = await timedRounds('own', [{ who: 'tailray', entrant, repeats: 2 }], 2);
    expect(times.get('tailray')).toEqual([4, 4]);
  });

  test('a failure ends the rounds and is handed on', async () => {
    let calls = 0;
    const entrant = sleeper('tailray', 1, [], {
      round: () => {
        calls += 1;
        return Promise.reject(new Error('lost'));
      },
    });
    await expect(timedRounds('fail', [{ who: 'tailray', entrant, repeats: 1 }], 4)).rejects.toThrow('lost');
    expect(calls).toBe(1);
  });
});

test('short work is repeated, long work is not', () => {
  expect(repeatsFor(1000)).toBe(1);
  expect(repeatsFor(6)).toBe(10);
  expect(repeatsFor(0.001)).toBe(200);
});
