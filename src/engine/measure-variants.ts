import { type Built, buildCommands, type RowCommand } from './build.js';
import { choose } from './choose.js';
import { type Command, recordCommands } from './commands.js';
import type { Device } from './device.js';
import { KernelError, OutOfMemoryError } from './errors.js';
import { median } from './median.js';
import { type Plan, planMemory } from './plan.js';
import type { Stopwatch } from './stopwatch.js';
import { Graph, type Node } from './tensor.js';

/**
 * Times the kernel variants of one node against each other, on scratch buffers of zeros (no kernel's time depends much
 * on values). Copies to textures and packing belong to a variant's time. What a real step has and this has not: other
 * kernels that push its operands out of the caches, alike for all variants.
 */

/** Milliseconds by variant; null where the variant could not be built or is hopelessly slow. */
export type VariantTimes = Readonly<Record<string, number | null>>;

/**
 * @param names the variants to compare, the one to beat first
 * @param memoryBytes scratch memory for all of them together
 * @returns undefined where that is not enough
 * @throws what the device reports
 */
export async function measureVariants(
  stopwatch: Stopwatch,
  node: Node,
  names: readonly string[],
  memoryBytes: number,
): Promise<VariantTimes | undefined> {
  const { device } = stopwatch;
  const entrants: Entrant[] = [];
  const owned: Built['owned'][number][] = [];
  try {
    const plans = names.map((name) => planAlone(device, node, name));
    if (plans.reduce((sum, { bytes }) => sum + bytes.total, 0) > memoryBytes) return undefined;
    for (const [i, plan] of plans.entries()) {
      const built = await buildCommands(device, plan).catch(nullIfRefused);
      owned.push(...(built?.owned ?? []));
      entrants.push({
        name: names[i] ?? '',
        commands: built?.commands ?? [],
        ms: built && Number.POSITIVE_INFINITY,
      });
    }
    await preliminaries(stopwatch, entrants);
    await rounds(stopwatch, entrants);
    return Object.fromEntries(entrants.map(({ name, ms }) => [name, ms]));
  } catch (error) {
    if (error instanceof OutOfMemoryError) return undefined;
    throw error;
  } finally {
    for (const resource of owned) resource.destroy();
  }
}

interface Entrant {
  readonly name: string;
  readonly commands: readonly RowCommand[];
  ms: number | null;
}

/** A node by itself, its operands fed from outside. */
function planAlone(device: Device, node: Node, variant: string): Plan {
  const graph = new Graph();
  const fed = new Map(
    [...new Set(node.inputs)].map((input, i) => [input, graph.input(`${i}`, input.shape, input.dtype)]),
  );
  const inputs = node.inputs.map((input) => fed.get(input) ?? input);
  return planMemory([{ ...node, inputs }], {
    keep: new Set(node.outputs),
    inputs: [...fed.values()],
    arenas: {},
    traits: device.traits,
    maxBufferBytes: device.gpu.limits.maxBufferSize,
    choose: (alone) => choose(alone, device.traits, { preference: { [node.op.name]: variant } }),
  });
}

/** A driver may refuse a kernel that it should take: then it is no candidate. */
function nullIfRefused(error: unknown): null {
  if (error instanceof KernelError) return null;
  throw error;
}

/** Workgroups of a first try: one of so many. A variant that needs longer for those than another for all is out. */
const SLICE = 32;

/** How much slower than the best a variant may be and still be timed in earnest. */
const WITHIN_REACH = 1.5;

/**
 * Runs each variant on a slice of its work, then once or twice on all of it: so a variant that would need seconds costs
 * milliseconds. First runs do not count; they touch new memory.
 */
async function preliminaries(stopwatch: Stopwatch, entrants: readonly Entrant[]): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (const entrant of entrants) {
    if (entrant.ms === null) continue;
    const slice = entrant.commands.map(({ command }) => ({ command: firstWorkgroups(command) }));
    await stopwatch.time((encoder) => recordCommands(encoder, slice));
    const part = await stopwatch.time((encoder) => recordCommands(encoder, slice));
    if (part > WITHIN_REACH * best) {
      entrant.ms = null;
      continue;
    }
    entrant.ms = await timeOnce(stopwatch, entrant);
    if (entrant.ms < 4 * best) entrant.ms = await timeOnce(stopwatch, entrant);
    best = Math.min(best, entrant.ms);
  }
}

/** Milliseconds that one timing should last at least, by the clock in use. */
const LONG_ENOUGH = { timestamps: 2, wall: 10 } as const;
const MOST_REPEATS = 64;
const FEWEST_ROUNDS = 5;
const MOST_ROUNDS = 11;
/** Milliseconds after which no round beyond the fewest is begun. */
const PATIENCE = 250;

/** The variants in reach take turns, so that what else the machine does meets all of them; the median counts. */
async function rounds(stopwatch: Stopwatch, entrants: readonly Entrant[]): Promise<void> {
  const best = Math.min(...entrants.map(({ ms }) => ms ?? Number.POSITIVE_INFINITY));
  const close = entrants
    .filter(({ ms }) => ms !== null && ms <= WITHIN_REACH * best)
    .map((entrant) => ({ entrant, times: [] as number[] }));
  if (close.length < 2) return;
  const repeats = Math.min(MOST_REPEATS, Math.ceil(LONG_ENOUGH[stopwatch.clock] / best));
  const start = performance.now();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (round >= FEWEST_ROUNDS && performance.now() - start > PATIENCE) break;
    for (const { entrant, times } of close)
      times.push((await timeOnce(stopwatch, entrant, repeats)) / repeats);
  }
  for (const { entrant, times } of close) entrant.ms = median(times);
}

function timeOnce(stopwatch: Stopwatch, { commands }: Entrant, repeats = 1): Promise<number> {
  return stopwatch.time((encoder) => {
    for (let i = 0; i < repeats; i++) recordCommands(encoder, commands);
  });
}

/** The same command on about one of `SLICE` workgroups; what it computes is of no use to anybody. */
function firstWorkgroups(command: Command): Command {
  if (command.kind !== 'dispatch') return command;
  let share = SLICE;
  const fewer = (count: number): number => {
    const divisor = Math.min(count, share);
    share = Math.ceil(share / divisor);
    return Math.ceil(count / divisor);
  };
  const [x, y, z] = command.grid;
  return { ...command, grid: [fewer(x), fewer(y), fewer(z)] };
}
