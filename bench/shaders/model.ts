import type { Compiled } from './driver/null-device.js';
import type { SpirvBinding } from './driver/spirv.js';
import type { GpuProfile } from './gpu.js';
import { WaveClock } from './isa/clock.js';
import { addCost, type Cost, costOfBlock, NO_COST } from './isa/cost.js';
import { beginWave, knownMemory, type WaveAt } from './isa/launch.js';
import { type WalkedCode, Walker } from './isa/walk.js';

/**
 * The time that a dispatch should take on a GPU, from its machine code. A few waves of the grid are walked through the
 * code with the real sizes, so loops have their real trips; what they cost is taken for all. Then:
 *
 * - The workgroups are dealt out to the units one by one: the unit with the most decides.
 * - On it, the vector units, the scalar units, workgroup memory (128 bytes a cycle) and the vector cache (64 bytes a cycle)
 *   work at the same time: the busiest decides.
 * - As many workgroups run at once as waves, registers and workgroup memory allow. Each such round takes at least as long as
 *   one wave alone, waits included.
 * - Memory moves the dispatch's operands once, partial results included, at its full rate.
 * - The slower of computing and memory decides, and a dispatch costs a fixed time besides.
 *
 * Left out: misses of the caches, conflicts of banks, clocks that drop, and dispatches that overlap.
 */
export interface Work {
  readonly grid: readonly [number, number, number];
  readonly dims: readonly number[];
  /** That memory has to move. */
  readonly bytes: number;
}

export interface Modelled {
  readonly seconds: number;
  readonly bound: 'vector' | 'scalar' | 'workgroup memory' | 'cache' | 'latency' | 'memory';
  /** Share of the vector units' cycles that multiply and add. */
  readonly fmaShare: number;
  /** Floating-point operations that are carried out, those beyond an edge included. */
  readonly flops: number;
  readonly groups: number;
  readonly waves: number;
  /** Cycles of the busiest unit. */
  readonly cycles: number;
  /** Branches that had to be guessed: the time is one, too. */
  readonly guesses: number;
  /** How often a wave runs each block of the machine code, on average. */
  readonly visits: readonly number[];
}

/** Between two dispatches that depend on each other: caches are flushed, the next is read and its waves begin. */
const DISPATCH_SECONDS = 0.5e-6;
const WORKGROUP_BYTES_A_CYCLE = 128;
const CACHE_BYTES_A_CYCLE = 64;
const MOST_GROUPS_OF_A_UNIT = 16;
/** Workgroups that are walked, evenly spread over the grid; of each, its first and its last wave. */
const WALKED_GROUPS = 2;

export interface Kernel {
  readonly compiled: Compiled;
  readonly code: WalkedCode;
  readonly bindings: readonly SpirvBinding[];
  /** Lanes of a workgroup along each axis. */
  readonly size: readonly [number, number, number];
}

export function model(kernel: Kernel, { grid, dims, bytes }: Work, gpu: GpuProfile): Modelled {
  const facts = factsOf(kernel);
  const { compiled, size } = kernel;
  const lanes = size[0] * size[1] * size[2];
  const { waveLanes } = facts;
  const waves = Math.ceil(lanes / waveLanes);
  const groups = grid[0] * grid[1] * grid[2];
  const { blocks } = kernel.code;
  const costs = blocks.map((block) => costOfBlock(block, waveLanes));
  const walker = new Walker(kernel.code, knownMemory(kernel, dims, grid));
  const samples = samplesOf(grid, waves);
  let sum: Cost = NO_COST;
  let alone = 0;
  let guesses = 0;
  const visits = blocks.map(() => 0);
  for (const sample of samples) {
    const clock = new WaveClock(waveLanes);
    const walk = walker.walk(beginWave({ ...facts, ...kernel }, sample), clock);
    costs.forEach((cost, i) => {
      const share = (walk.counts[i] ?? 0) / samples.length;
      sum = addCost(sum, cost, share);
      visits[i] = (visits[i] ?? 0) + share;
    });
    alone += clock.cycles / samples.length;
    guesses += walk.guesses;
  }
  const ofUnit = Math.ceil(groups / gpu.units);
  const onSimd = Math.ceil((ofUnit * waves) / gpu.simds);
  const atOnce = groupsAtOnce(compiled, waves, gpu);
  const cycles = {
    vector: onSimd * sum.vector,
    scalar: onSimd * sum.other,
    'workgroup memory': (ofUnit * waves * sum.workgroupBytes) / WORKGROUP_BYTES_A_CYCLE,
    cache: (ofUnit * waves * sum.memoryBytes) / CACHE_BYTES_A_CYCLE,
    latency: Math.ceil(ofUnit / atOnce) * alone,
  };
  const seconds = { ...mapValues(cycles, (each) => each / gpu.hertz), memory: bytes / gpu.bandwidth };
  const [bound, slowest] = largest(seconds);
  return {
    seconds: slowest + DISPATCH_SECONDS,
    bound,
    fmaShare: sum.vector > 0 ? sum.useful / sum.vector : 0,
    flops: 2 * groups * waves * (sum.fma + sum.matrix),
    groups,
    waves: (atOnce * waves) / gpu.simds,
    cycles: largest(cycles)[1],
    guesses,
    visits,
  };
}

function factsOf({ compiled }: Kernel) {
  const { startOfProgram, nir, waveLanes } = compiled;
  return { startOfProgram, nir, waveLanes };
}

/** Workgroups that a unit holds at the same time. */
export function groupsAtOnce({ statistics }: Compiled, waves: number, gpu: GpuProfile): number {
  const ofSimd = Math.min(statistics.get('Subgroups per SIMD') ?? gpu.wavesPerSimd, gpu.wavesPerSimd);
  const workgroupBytes = statistics.get('LDS size') ?? 0;
  return Math.max(
    1,
    Math.min(
      MOST_GROUPS_OF_A_UNIT * (waves === 1 ? 2 : 1),
      Math.floor((ofSimd * gpu.simds) / waves),
      workgroupBytes > 0 ? Math.floor(gpu.unitWorkgroupBytes / workgroupBytes) : Number.POSITIVE_INFINITY,
    ),
  );
}

function samplesOf(grid: readonly [number, number, number], waves: number): WaveAt[] {
  const groups = grid[0] * grid[1] * grid[2];
  const walked = Math.min(groups, WALKED_GROUPS);
  const numbers = Array.from({ length: walked }, (_, i) => Math.floor(((i + 0.5) * groups) / walked));
  return numbers.flatMap((number) => {
    const x = number % grid[0];
    const y = Math.floor(number / grid[0]) % grid[1];
    const z = Math.floor(number / (grid[0] * grid[1]));
    return [...new Set([0, waves - 1])].map((wave) => ({ group: [x, y, z] as const, wave }));
  });
}

function mapValues<K extends string>(
  record: Record<K, number>,
  f: (value: number) => number,
): Record<K, number> {
  return Object.fromEntries(Object.entries<number>(record).map(([key, value]) => [key, f(value)])) as Record<
    K,
    number
  >;
}

function largest<K extends string>(record: Record<K, number>): [K, number] {
  const entries = Object.entries<number>(record) as [K, number][];
  return entries.reduce((most, entry) => (entry[1] > most[1] ? entry : most));
}
