import type { Device } from '../device.js';
import { KernelError, OutOfMemoryError } from '../errors.js';
import { Graph, type Node } from '../graph/tensor.js';
import { type Plan, planMemory } from '../plan/plan.js';
import { type Built, buildCommands, type RowCommand } from '../run/build.js';
import { type Command, recordCommands } from '../run/commands.js';
import type { Stopwatch } from '../run/stopwatch.js';
import { choose } from './choose.js';

/**
 * Times the kernel variants of one node against each other, on scratch buffers of zeros (no kernel's time depends much
 * on values). Copies to textures and packing belong to a variant's time. In a real step, other kernels push its
 * operands out of the caches; that is missing here, alike for all variants.
 */

/** Milliseconds by variant; null where the variant could not be built or is hopelessly slow. */
export type VariantTimes = Readonly<Record<string, number | null>>;

/**
 * @param names the variants to compare, the one to beat first
 * @param memoryBytes scratch memory for all of them together
 * @returns undefined where that is not enough
 * @throws errors that the device reports
 */
export async function measureVariants(
  stopwatch: Stopwatch,
  node: Node,
  names: readonly string[],
  memoryBytes: number,
): Promise<VariantTimes | undefined> {
  const { device } = stopwatch;
  const owned: Built['owned'][number][] = [];
  try {
    const plans = names.map((name) => planAlone(device, node, name));
    if (plans.reduce((sum, { bytes }) => sum + bytes.total, 0) > memoryBytes) return undefined;
    // pipelines take most of the time: the driver compiles them side by side where it can
    const built = await Promise.all(plans.map((plan) => buildCommands(device, plan).catch(nullIfRefused)));
    const entrants = names.map((name, i): Entrant => {
      const { commands = [], owned: own = [] } = built[i] ?? {};
      owned.push(...own);
      return { name, commands, ms: built[i] ? Number.POSITIVE_INFINITY : null };
    });
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

/** A node by itself: its operands become inputs of the program. */
function planAlone(device: Device, node: Node, variant: string): Plan {
  const graph = new Graph();
  const inputOf = new Map(
    [...new Set(node.inputs)].map((input, i) => [input, graph.input(`${i}`, input.shape, input.dtype)]),
  );
  const inputs = node.inputs.map((input) => inputOf.get(input) ?? input);
  return planMemory([{ ...node, inputs }], {
    results: new Set(node.outputs),
    inputs: [...inputOf.values()],
    arenas: {},
    traits: device.traits,
    choose: (alone) => choose(alone, device.traits, { preference: { [node.op.name]: variant } }),
  });
}

/** A driver may refuse a kernel that it should take: then it is no candidate. */
function nullIfRefused(error: unknown): null {
  if (error instanceof KernelError) return null;
  throw error;
}

/** Workgroups of a first try: one of so many. */
const SLICE = 32;
/** Milliseconds below which a slow variant does no harm, and a single time says little. */
const CHEAP = 5;
/** How much slower than the best a variant may be and still take part in the rounds. */
const WITHIN_REACH = 2;

/**
 * Runs each variant on a slice of its work, then on all of it: so a variant that would need seconds costs milliseconds.
 * The first of two runs does not count; it touches new memory.
 */
async function preliminaries(stopwatch: Stopwatch, entrants: readonly Entrant[]): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (const entrant of entrants) {
    if (entrant.ms === null) continue;
    const slice = {
      commands: entrant.commands.map(({ row, command }) => ({ row, command: firstWorkgroups(command) })),
    };
    await timeEach(stopwatch, slice);
    if ((await timeEach(stopwatch, slice)) > Math.max(CHEAP, best)) {
      entrant.ms = null;
      continue;
    }
    entrant.ms = await timeEach(stopwatch, entrant);
    if (entrant.ms > Math.max(CHEAP, 2 * WITHIN_REACH * best)) continue;
    const repeats = repeatsFor(entrant.ms, stopwatch);
    entrant.ms = await timeEach(stopwatch, entrant, repeats);
    // a time that looks slow may have been disturbed
    if (entrant.ms > WITHIN_REACH * best) {
      entrant.ms = Math.min(entrant.ms, await timeEach(stopwatch, entrant, repeats));
    }
    best = Math.min(best, entrant.ms);
  }
}

/** Milliseconds that one timing should last at least, by the clock in use. */
const LONG_ENOUGH = { timestamps: 2, wall: 10 } as const;
const MOST_REPEATS = 64;
const FEWEST_ROUNDS = 5;
const MOST_ROUNDS = 15;
/** Milliseconds after which no round beyond the fewest is begun. */
const PATIENCE = 250;

/**
 * The variants in reach take turns, so that other work of the machine meets all of them. The shortest time counts: a
 * disturbance makes a kernel slower, never faster.
 */
async function rounds(stopwatch: Stopwatch, entrants: readonly Entrant[]): Promise<void> {
  const best = Math.min(...entrants.map(({ ms }) => ms ?? Number.POSITIVE_INFINITY));
  const close = entrants.filter(({ ms }) => ms !== null && ms <= WITHIN_REACH * best);
  if (close.length < 2) return;
  const repeats = repeatsFor(best, stopwatch);
  const start = performance.now();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (round >= FEWEST_ROUNDS && performance.now() - start > PATIENCE) break;
    for (const entrant of close) {
      const ms = await timeEach(stopwatch, entrant, repeats);
      entrant.ms = Math.min(entrant.ms ?? ms, ms);
    }
  }
}

function repeatsFor(ms: number, { clock }: Stopwatch): number {
  return Math.min(MOST_REPEATS, Math.ceil(LONG_ENOUGH[clock] / ms));
}

/** Milliseconds of one of `repeats` runs in a row. */
async function timeEach(
  stopwatch: Stopwatch,
  { commands }: Pick<Entrant, 'commands'>,
  repeats = 1,
): Promise<number> {
  const ms = await stopwatch.time((encoder) => {
    for (let i = 0; i < repeats; i++) recordCommands(encoder, commands);
  });
  return ms / repeats;
}

/** The same command on about one of `SLICE` workgroups; its result is not used. */
function firstWorkgroups(command: Command): Command {
  if (command.kind !== 'dispatch') return command;
  let divide = SLICE;
  const fewer = (count: number): number => {
    const divisor = Math.min(count, divide);
    divide = Math.ceil(divide / divisor);
    return Math.ceil(count / divisor);
  };
  const [x, y, z] = command.grid;
  return { ...command, grid: [fewer(x), fewer(y), fewer(z)] };
}
