import type { Device } from '../device.js';
import { KernelError, OutOfMemoryError } from '../errors.js';
import { at, byteLength, elementCount, Graph, type Node, type Tensor } from '../graph/tensor.js';
import { type Plan, planMemory } from '../plan/plan.js';
import { pipelineOf } from '../run/bindings.js';
import { type Built, buildCommands, type RowCommand } from '../run/build.js';
import { type Command, recordCommands } from '../run/commands.js';
import type { Stopwatch } from '../run/stopwatch.js';
import { choose, problemOf } from './choose.js';
import { differenceOf, fillRandom, tolerance } from './compare-results.js';

/**
 * Times the kernel variants of one node against each other, and compares their results: a kernel that is fast and wrong
 * must not win. All compute the same operands of random values, which they share. Copies to textures and packing belong to
 * a variant's time. In a real step, other kernels push its operands out of the caches; that is missing here, alike for all
 * variants.
 */
export interface VariantMeasures {
  readonly ms: VariantTimes;
  /** Why a variant is no candidate though it could be built, by variant. */
  readonly refused: Readonly<Record<string, string>>;
}

/** Milliseconds by variant; null where the variant could not be built, is hopelessly slow or gave another result. */
export type VariantTimes = Readonly<Record<string, number | null>>;

/**
 * @param names the variants to compare, the one to beat first: results are held against its own
 * @param memoryBytes scratch memory for all of them together
 * @returns undefined where that is not enough
 * @throws errors that the device reports
 */
export async function measureVariants(
  stopwatch: Stopwatch,
  node: Node,
  names: readonly string[],
  memoryBytes: number,
): Promise<VariantMeasures | undefined> {
  const { device } = stopwatch;
  const owned: Built['owned'][number][] = [];
  try {
    const alone = standAlone(node);
    const plans = names.map((name) => planAlone(device, alone, name));
    const operandBytes = alone.shared.reduce((sum, tensor) => sum + byteLength(tensor), 0);
    const bytes = plans.reduce((sum, plan) => sum + plan.bytes.total - operandBytes, operandBytes);
    if (bytes > memoryBytes) return undefined;
    const shared = new Map<Tensor, GPUBuffer>();
    for (const tensor of alone.shared) {
      const buffer = await device.createBuffer('operand of compared kernels', byteLength(tensor));
      owned.push(buffer);
      shared.set(tensor, buffer);
    }
    // pipelines take most of the time: the driver compiles them side by side where it can
    const built = await Promise.all(
      plans.map((plan) => buildCommands(device, plan, shared).catch(nullIfRefused)),
    );
    const entrants = names.map((name, i): Entrant => {
      const program = built[i] ?? undefined;
      owned.push(...(program?.owned ?? []));
      const ms = program ? Number.POSITIVE_INFINITY : null;
      return { name, built: program, commands: program?.commands ?? [], ms };
    });
    let filled = false;
    for (const { built: program } of entrants) {
      if (!program) continue;
      await fillOperands(device, alone, program, filled ? changedOperands(alone) : alone.operands);
      filled = true;
    }
    await preliminaries(stopwatch, entrants);
    const refused = await refuseWrong(device, alone, entrants);
    await rounds(stopwatch, entrants);
    return { ms: Object.fromEntries(entrants.map(({ name, ms }) => [name, ms])), refused };
  } catch (error) {
    if (error instanceof OutOfMemoryError) return undefined;
    throw error;
  } finally {
    for (const resource of owned) resource.destroy();
  }
}

/**
 * Has the driver compile what `measureVariants` will run, while something else is measured: only where that is on another
 * processor. Refusals are told by the measurement.
 */
export async function compileVariants(device: Device, node: Node, names: readonly string[]): Promise<void> {
  const alone = standAlone(node);
  const pipelines = names.flatMap((name) =>
    planAlone(device, alone, name).actions.flatMap((action) =>
      action.kind === 'copy'
        ? []
        : action.chosen.kernel.steps.flatMap((step) =>
            step.kind === 'dispatch' ? [pipelineOf(device, node.label, step)] : [],
          ),
    ),
  );
  await Promise.allSettled(pipelines);
}

interface Entrant {
  readonly name: string;
  readonly built: Built | undefined;
  readonly commands: readonly RowCommand[];
  ms: number | null;
}

/** A node by itself: its operands become inputs of a program. */
interface Alone {
  readonly node: Node;
  readonly operands: readonly Tensor[];
  /** Operands that all variants may read from one place: those that the op does not change. */
  readonly shared: readonly Tensor[];
  /** All that the op leaves: its outputs, and the operands that it changes. */
  readonly results: readonly Tensor[];
}

function standAlone(node: Node): Alone {
  const graph = new Graph();
  const inputOf = new Map(
    [...new Set(node.inputs)].map((input, i) => [input, graph.input(`${i}`, input.shape, input.dtype)]),
  );
  const inputs = node.inputs.map((input) => inputOf.get(input) ?? input);
  const changed = new Set((node.op.mutates ?? []).map((i) => at(inputs, i)));
  const operands = [...inputOf.values()];
  return {
    node: { ...node, inputs },
    operands,
    shared: operands.filter((operand) => !changed.has(operand)),
    results: [...node.outputs, ...changed],
  };
}

function planAlone(device: Device, { node, operands }: Alone, variant: string): Plan {
  return planMemory([node], {
    results: new Set(node.outputs),
    inputs: [...operands],
    arenas: {},
    traits: device.traits,
    choose: (each) => choose(each, device.traits, { preference: { [node.op.name]: variant } }),
  });
}

/** Each variant has its own. */
function changedOperands({ operands, shared }: Alone): Tensor[] {
  return operands.filter((operand) => !shared.includes(operand));
}

/** The same values for every variant, shared or not. */
async function fillOperands(
  device: Device,
  { operands }: Alone,
  program: Built,
  which: readonly Tensor[],
): Promise<void> {
  for (const spec of which) {
    await fillRandom(device, { spec, ...program.locate(spec) }, operands.indexOf(spec) + 1);
  }
}

/**
 * Takes those out of the running whose results are not those of the first variant that runs, but for rounding.
 * @returns why, by name
 */
async function refuseWrong(
  device: Device,
  alone: Alone,
  entrants: readonly Entrant[],
): Promise<Record<string, string>> {
  const refused: Record<string, string> = {};
  const { op, outputs } = alone.node;
  const elements = outputs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const depth = op.flops(problemOf(alone.node)) / 2 / Math.max(1, elements);
  const allowed = tolerance(
    depth,
    [...alone.operands, ...outputs].some(({ dtype }) => dtype === 'f16'),
  );
  const [reference, ...others] = entrants.filter(({ ms }) => ms !== null);
  const runOnce = async (program: Built) => {
    await fillOperands(device, alone, program, changedOperands(alone));
    const encoder = device.gpu.createCommandEncoder();
    recordCommands(encoder, program.commands);
    device.gpu.queue.submit([encoder.finish()]);
  };
  if (!reference?.built) return refused;
  await runOnce(reference.built);
  for (const entrant of others) {
    if (!entrant.built) continue;
    await runOnce(entrant.built);
    for (const spec of alone.results) {
      const [own, right] = [entrant.built, reference.built].map((program) => program.locate(spec));
      if (!own || !right) continue;
      const { largest, unlike } = await differenceOf(device, { spec, ...own }, { spec, ...right });
      if (unlike === 0 && largest <= allowed) continue;
      entrant.ms = null;
      refused[entrant.name] =
        unlike > 0
          ? `gives ${unlike} of ${elementCount(spec.shape)} values that are finite, or none, unlike those of ${reference.name}`
          : `differs from ${reference.name} by ${largest.toExponential(1)} of the largest value, where rounding explains ${allowed.toExponential(1)}`;
    }
  }
  return refused;
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
