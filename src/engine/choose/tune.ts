import type { Device } from '../device.js';
import { at, type DeviceTraits, type Node } from '../graph/tensor.js';
import { leastMs, measureRoofline, type Roofline } from '../roofline.js';
import { Stopwatch } from '../run/stopwatch.js';
import { bytesMoved, candidates, type KnownVariants, problemOf } from './choose.js';
import { compileVariants, measureVariants, type VariantTimes } from './measure-variants.js';
import { problemKey } from './problem-key.js';

/**
 * The measured choice of kernels. The rule (`Variant.rank`) gives a good kernel at once; a tuner measures the other
 * candidates, once for each op and shape on an adapter, leaves out those whose results differ, and remembers the winner. Another kernel rounds otherwise, so a run
 * that is to be repeated bit for bit needs the same variants again: `Program.kernels` tells them, `earlierVariants` gives
 * them back.
 */
export interface Tuning {
  /**
   * Variants for the problems of a program that is about to be planned.
   * @param runs how often the program is likely to run
   */
  variantsFor(nodes: readonly Node[], runs: number): Promise<KnownVariants>;
}

/** The variants that an earlier program had, see `Program.kernels`. */
export function earlierVariants(kernels: Readonly<Record<string, string>>): Tuning {
  const known = new Map(
    Object.entries(kernels).map(([problem, variant]) => [problem, { variant, by: 'earlier' }] as const),
  );
  return { variantsFor: () => Promise.resolve(known) };
}

/** The measurement of one problem on one adapter. */
export interface TuneRecord {
  /** See `problemKey`. */
  readonly problem: string;
  readonly winner: string;
  /** Milliseconds of every variant that was measured. */
  readonly ms: VariantTimes;
  /** Why a variant that could run is no candidate: its result was another one. By variant. */
  readonly refused: Readonly<Record<string, string>>;
}

/** Where records of one adapter and driver outlive the process. It keeps its own failures to itself. */
export interface TuneStore {
  /** By problem; the latest record of each. */
  load(): Promise<ReadonlyMap<string, TuneRecord>>;
  add(record: TuneRecord): Promise<void>;
}

export interface TunerOptions {
  readonly store?: TuneStore | undefined;
  /**
   * The treatment of problems without a record: `always` measures them, `long` (the default) measures them in a
   * bounded time if the program will run for long, `never` leaves them to the rule.
   */
  readonly measure?: 'always' | 'long' | 'never' | undefined;
  /** Scratch memory while measuring; default 1 GiB. A problem that needs more is left to the rule. */
  readonly memoryBytes?: number | undefined;
  /** Counts problems while they are measured. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Of a kernel whose result was not that of the others: a fault of tailray or of the driver. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** After a program's problems were looked at. */
  readonly onDone?: ((report: TuneReport) => void) | undefined;
}

/** Of one program. Only problems with several candidates count. */
export interface TuneReport {
  readonly problems: number;
  /** Measured now. */
  readonly measured: number;
  /** Neither remembered nor measured: for lack of time or memory, or because the program is too short to pay for it. */
  readonly unknown: number;
  /** Computed by another variant than the rule's. */
  readonly changed: number;
  /** Milliseconds a run that the changes save, by the times of each kernel alone. */
  readonly savedMs: number;
  /** That measuring took. */
  readonly seconds: number;
}

/**
 * A program is long if it will compute for so many seconds. On a GPU, kernels take microseconds and the driver compiles on
 * all cores, so that measuring takes some ten seconds where it takes minutes on a software adapter.
 */
const LONG: Readonly<Record<DeviceTraits['kind'], number>> = { software: 600, gpu: 60 };
/** How many runs a program needs at least to be worth an estimate of its time. */
const MANY_RUNS = 100;
/** The part of a long program's time that measuring may take, and the most seconds of it. */
const LONG_FRACTION = 0.05;
const LONG_AT_MOST = 60;
/** The share of the roofline to expect of a program when its time is estimated. */
const TYPICAL_FRACTION = 0.3;
/** A slow GPU: a program that is short even on it is not worth the second in which the roofline is measured. */
const SLOW_GPU = { gflops: 500, gbps: 30 };
/** Problems whose kernels a GPU's driver compiles while others are measured. */
const AHEAD = 4;
/** Bytes of scratch memory by default. */
const SCRATCH = 2 ** 30;
/** A winner must need less than this part of the rule's time: below that it is noise, and the rule stays. */
const WORTH_CHANGING = 0.95;

export class Tuner implements Tuning {
  readonly #device: Device;
  readonly #options: TunerOptions;
  #records: Map<string, TuneRecord> | undefined;
  #roofline: Roofline | undefined;

  constructor(device: Device, options: TunerOptions = {}) {
    this.#device = device;
    this.#options = options;
  }

  /** @throws errors that the device reports */
  async variantsFor(nodes: readonly Node[], runs: number): Promise<KnownVariants> {
    const records = await this.#remembered();
    const problems = distinctProblems(nodes, this.#device);
    const unknown = problems.filter((problem) => !isAnswered(problem, records.get(problem.key)));
    const start = performance.now();
    const seconds = unknown.length > 0 ? await this.#secondsFor(nodes, runs) : 0;
    const measured = seconds > 0 ? await this.#measure(unknown, start + seconds * 1000) : 0;
    this.#options.onDone?.({
      ...savings(problems, records),
      problems: problems.length,
      measured,
      unknown: unknown.length - measured,
      seconds: (performance.now() - start) / 1000,
    });
    return new Map(
      problems.flatMap((problem) => {
        const record = records.get(problem.key);
        return knowsRule(problem, record)
          ? [[problem.key, { variant: record.winner, by: 'tuned' }] as const]
          : [];
      }),
    );
  }

  async #remembered(): Promise<Map<string, TuneRecord>> {
    this.#records ??= new Map(await this.#options.store?.load());
    return this.#records;
  }

  /** How long measuring may take for this program; 0 if it should not be done. */
  async #secondsFor(nodes: readonly Node[], runs: number): Promise<number> {
    const { measure = 'long' } = this.#options;
    if (measure === 'always') return Number.POSITIVE_INFINITY;
    if (measure === 'never' || runs < MANY_RUNS) return 0;
    const { kind } = this.#device.traits;
    const expected = (roofline: Pick<Roofline, 'gflops' | 'gbps'>) => {
      const ms = nodes.reduce((sum, node) => sum + leastMsOf(node, roofline), 0) / TYPICAL_FRACTION;
      return (runs * ms) / 1000;
    };
    if (kind === 'gpu' && expected(SLOW_GPU) < LONG.gpu) return 0;
    const seconds = expected(await this.#capability());
    return seconds < LONG[kind] ? 0 : Math.min(LONG_AT_MOST, seconds * LONG_FRACTION);
  }

  /** Measures the problems, starting with the ones that take the most time. @returns how many were measured */
  async #measure(problems: readonly TuningProblem[], deadline: number): Promise<number> {
    const { store, memoryBytes = SCRATCH, onProgress } = this.#options;
    const roofline = await this.#capability();
    const weight = ({ node, uses }: TuningProblem) => uses * leastMsOf(node, roofline);
    const stopwatch = await Stopwatch.create(this.#device);
    const sorted = [...problems].sort((a, b) => weight(b) - weight(a));
    let [measured, compiling] = [0, 0];
    try {
      for (const [i, problem] of sorted.entries()) {
        if (performance.now() > deadline) break;
        while (this.#device.traits.adapter === 'gpu' && compiling < Math.min(i + 1 + AHEAD, sorted.length)) {
          const { node, names } = at(sorted, compiling++);
          void compileVariants(this.#device, node, names);
        }
        onProgress?.(i, problems.length);
        const { key, node, names } = problem;
        const seen = await measureVariants(stopwatch, node, names, memoryBytes);
        if (!seen) continue;
        const { refused } = seen;
        this.#warn(problem, refused);
        const ms = await this.#confirmed(stopwatch, problem, seen.ms);
        const record = { problem: key, winner: fastest(names, ms), ms, refused };
        this.#records?.set(key, record);
        await store?.add(record);
        measured++;
      }
    } finally {
      stopwatch.destroy();
    }
    return measured;
  }

  #warn({ key, names }: TuningProblem, refused: TuneRecord['refused']): void {
    const wrong = Object.entries(refused);
    for (const [name, reason] of wrong) {
      this.#options.onWarning?.(`the kernel ${name} of ${key} is left out: it ${reason}.`);
    }
    if (wrong.length > 1 && wrong.length === names.length - 1) {
      this.#options.onWarning?.(
        `no other kernel of ${key} agrees with ${names[0]}, which may be the wrong one.`,
      );
    }
  }

  /** A change needs two measurements, the second in other memory: a bad place in memory can cost a kernel dear. */
  async #confirmed(
    stopwatch: Stopwatch,
    { node, names }: TuningProblem,
    seen: VariantTimes,
  ): Promise<VariantTimes> {
    const { memoryBytes = SCRATCH } = this.#options;
    const [rule = ''] = names;
    const winner = fastest(names, seen);
    if (winner === rule) return seen;
    const again = await measureVariants(stopwatch, node, [rule, winner], memoryBytes);
    const shorter = (name: string) => {
      const times = [seen[name], again?.ms[name]].filter((ms) => typeof ms === 'number');
      return times.length > 0 ? Math.min(...times) : null;
    };
    return Object.fromEntries(names.map((name) => [name, shorter(name)]));
  }

  async #capability(): Promise<Roofline> {
    this.#roofline ??= await measureRoofline(this.#device);
    return this.#roofline;
  }
}

/** A problem that several variants can compute. */
interface TuningProblem {
  readonly key: string;
  /** One of the nodes that ask for it. */
  readonly node: Node;
  uses: number;
  /** The variants that fit, the rule's first. */
  readonly names: readonly string[];
}

function distinctProblems(nodes: readonly Node[], device: Device): TuningProblem[] {
  const problems = new Map<string, TuningProblem>();
  for (const node of nodes) {
    if (node.op.variants.length < 2) continue;
    const key = problemKey(node);
    const known = problems.get(key);
    if (known) known.uses++;
    else {
      const names = candidates(node, device.traits).fits.map(({ name }) => name);
      problems.set(key, { key, node, uses: 1, names });
    }
  }
  return [...problems.values()].filter(({ names }) => names.length > 1);
}

/** Whether a record still decides: its winner exists, and no variant has come since that might be faster. */
function isAnswered({ names }: TuningProblem, record: TuneRecord | undefined): boolean {
  return record !== undefined && names.includes(record.winner) && names.every((name) => name in record.ms);
}

/**
 * Whether a record that may be older than some variants still serves: the rule's choice was measured with the others. A
 * record of a device without subgroup matrices says nothing once the rule would take them.
 */
function knowsRule({ names }: TuningProblem, record: TuneRecord | undefined): record is TuneRecord {
  const [rule = ''] = names;
  return record !== undefined && names.includes(record.winner) && rule in record.ms;
}

function fastest(names: readonly string[], ms: VariantTimes): string {
  const [rule = ''] = names;
  const time = (name: string) => ms[name] ?? Number.POSITIVE_INFINITY;
  const best = names.reduce((a, b) => (time(b) < time(a) ? b : a), rule);
  return time(best) < WORTH_CHANGING * time(rule) ? best : rule;
}

function savings(
  problems: readonly TuningProblem[],
  records: ReadonlyMap<string, TuneRecord>,
): Pick<TuneReport, 'changed' | 'savedMs'> {
  let [changed, savedMs] = [0, 0];
  for (const problem of problems) {
    const record = records.get(problem.key);
    const [rule = ''] = problem.names;
    if (!knowsRule(problem, record) || record.winner === rule) continue;
    changed++;
    savedMs += problem.uses * Math.max(0, (record.ms[rule] ?? 0) - (record.ms[record.winner] ?? 0));
  }
  return { changed, savedMs };
}

function leastMsOf(node: Node, roofline: Pick<Roofline, 'gflops' | 'gbps'>): number {
  const problem = problemOf(node);
  return leastMs(roofline, { flops: node.op.flops(problem), bytes: bytesMoved(node.op, problem) });
}
