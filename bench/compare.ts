import { DisagreementError, HALF_TOLERANCE, largestDifference, TOLERANCE } from './agreement.js';
import type { Cost, Entrant } from './entrant.js';
import type { Timing } from './measurement.js';
import { repeatsFor, type Turn, timedRounds } from './rounds.js';
import { CONTENDERS, type Hosts, type Peer, type Who, type Workload } from './workload.js';

/** One workload from start to end: everyone prepares, is checked against tailray, warms up, and then they take turns. */

export interface Comparison {
  readonly workload: Workload;
  /** Piece by piece; a single one for a single op. */
  readonly costs: readonly Cost[];
  /** tailray first, in the order of `CONTENDERS`. */
  readonly timings: readonly Timing[];
  /** Libraries that are not timed: they could not do the work, or did other work. */
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly who: Peer;
  readonly reason: string;
  /** The library gives other results than tailray, so one of the two is wrong. */
  readonly disagrees: boolean;
}

export type OpenHosts = Pick<Hosts, 'tailray'> & Partial<Hosts>;

export async function compare(workload: Workload, hosts: OpenHosts, rounds: number): Promise<Comparison> {
  const turns: Turn[] = [];
  const failures: Failure[] = [];
  let reference: readonly Float32Array[] = [];
  try {
    for (const who of CONTENDERS) {
      try {
        const entrant = await enter(who, workload, hosts);
        if (!entrant) continue;
        // to be let go whatever happens next
        turns.push({ who, entrant, repeats: 0 });
        await entrant.round(1);
        const results = await entrant.results();
        if (who === 'tailray') reference = results;
        else requireAgreement(workload, who, reference, results);
        turns.splice(-1, 1, { who, entrant, repeats: await warmUp(entrant) });
      } catch (error) {
        if (who === 'tailray') throw error;
        if (turns.at(-1)?.who === who) await turns.pop()?.entrant.dispose();
        const reason = error instanceof Error ? error.message : String(error);
        failures.push({ who, reason, disagrees: error instanceof DisagreementError });
      }
    }
    const times = await timedRounds(`${workload.name} ${workload.direction}`, turns, rounds);
    const timings = turns.map(({ who, entrant: { peakBytes, costs } }) => ({
      who,
      rounds: times.get(who) ?? [],
      peakBytes,
      ...(who === 'tailray-f16' && { costs }),
    }));
    const costs = workload.cost ? [workload.cost] : (turns[0]?.entrant.costs ?? []);
    return { workload, costs, timings, failures };
  } finally {
    for (const { entrant } of turns) await entrant.dispose();
  }
}

async function enter(
  who: Who,
  { entries, onlyOnGpu = [] }: Workload,
  hosts: OpenHosts,
): Promise<Entrant | undefined> {
  const software = hosts.tailray.device.traits.kind !== 'gpu';
  if (software && who !== 'tailray' && onlyOnGpu.includes(who)) return undefined;
  switch (who) {
    case 'tailray':
      return entries.tailray(hosts.tailray);
    case 'tailray-f16':
      return hosts[who] && entries[who]?.(hosts[who]);
    case 'tailray-unfused':
      return hosts[who] && entries[who]?.(hosts[who]);
    case 'tfjs-webgpu':
      return hosts[who] && entries[who]?.(hosts[who]);
    case 'jax-js':
      return hosts[who] && entries[who]?.(hosts[who]);
    case 'onnxruntime-cpu':
      return hosts[who] && entries[who]?.(hosts[who]);
    case 'pytorch-cpu':
      return hosts[who] && entries[who]?.(hosts[who]);
    case 'pytorch-cuda':
      return hosts[who] && entries[who]?.(hosts[who]);
  }
}

/** Once more, the first run having compiled everything, and again in rounds as long as those that will count. */
async function warmUp(entrant: Entrant): Promise<number> {
  const first = await milliseconds(() => entrant.round(1));
  const repeats = repeatsFor(first);
  if (repeats === 1) return 1;
  return repeatsFor((await milliseconds(() => entrant.round(repeats))) / repeats);
}

async function milliseconds(action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

function requireAgreement(
  { name, direction, tolerance = TOLERANCE }: Workload,
  who: Peer,
  reference: readonly Float32Array[],
  results: readonly Float32Array[],
): void {
  const apart = largestDifference(reference, results);
  const allowed = who === 'tailray-f16' ? Math.max(10 * tolerance, HALF_TOLERANCE) : tolerance;
  if (apart <= allowed) return;
  throw new DisagreementError(
    `${name} ${direction}: ${who} and tailray differ by ${apart.toExponential(1)} of the largest value, more than ` +
      `${allowed.toExponential(0)} that rounding explains. One of them computes something else, so neither is timed.${told(reference, results)}`,
  );
}

/** Where all results are single numbers, such as losses, they are told. */
function told(...results: readonly (readonly Float32Array[])[]): string {
  if (results.flat().some(({ length }) => length !== 1)) return '';
  const [expected = '', actual = ''] = results.map((values) => values.map(([value]) => value).join(', '));
  return ` tailray has ${expected}, and the other ${actual}.`;
}
