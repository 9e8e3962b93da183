import benny from 'benny';
import type { Entrant } from './entrant.js';
import type { Who } from './workload.js';

/**
 * The timed rounds of one workload. All libraries take turns, so that what disturbs the machine disturbs all of them.
 *
 * benny runs and times them: each turn is a case of its own with a single sample, and the cases are in the order of the
 * rounds. That is all of benny that is used. Its statistics (operations a second, from as many samples as fit into some
 * seconds, a case at a time) would put minutes between two libraries; medians and ratios are taken by statistics.ts.
 */

export interface Turn {
  readonly who: Who;
  readonly entrant: Entrant;
  /** Times that a round does the work: short work is repeated until a round is long enough to be timed. */
  readonly repeats: number;
}

/** @returns milliseconds of one repetition, for each library in the order of the rounds */
export async function timedRounds(
  name: string,
  turns: readonly Turn[],
  rounds: number,
): Promise<Map<Who, number[]>> {
  let started = false;
  let failure: unknown;
  const times = new Map<Who, number[]>(turns.map(({ who }) => [who, []]));
  const cases = Array.from({ length: rounds }, (_, round) =>
    turns.map(({ who, entrant, repeats }) =>
      // benny calls a case before it starts, to see whether it gives a promise: nothing is done then
      benny.add(`${who}, round ${round + 1}`, async () => {
        if (!started || failure !== undefined) return;
        try {
          await entrant.round(repeats);
          if (entrant.counted) times.get(who)?.push(entrant.counted() / repeats);
        } catch (error) {
          // benny would leave a rejection unhandled
          failure = error;
        }
      }),
    ),
  ).flat();
  const start: (typeof cases)[number] = async () => (suite) =>
    suite.on('start', () => {
      started = true;
    });
  const { results } = await benny.suite(name, start, ...cases, benny.configure({ cases: ONE_SAMPLE }));
  if (failure !== undefined) throw failure;
  for (const [i, { details }] of results.entries()) {
    const turn = turns[i % turns.length];
    const [seconds = Number.NaN] = details.sampleResults;
    if (turn && !turn.entrant.counted) times.get(turn.who)?.push((seconds * 1000) / turn.repeats);
  }
  return times;
}

/** A case is called once and that is its sample, however short it was. */
const ONE_SAMPLE = { delay: 0, initCount: 1, minTime: 1e-9, maxTime: 1e-9, minSamples: 1 };

/** Milliseconds that a round should take at least: well above the naps of a throttled wait. */
const LONG_ENOUGH = 60;
const MOST_REPEATS = 200;

/** How often a round has to do the work, from how long doing it once took. */
export function repeatsFor(ms: number): number {
  return Math.min(MOST_REPEATS, Math.max(1, Math.round(LONG_ENOUGH / ms)));
}
