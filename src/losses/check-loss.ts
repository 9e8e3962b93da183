import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { at, Graph, type Tensor } from '../engine/graph/tensor.js';
import type { Program } from '../engine/run/program.js';
import { grad } from '../kernels/common/grad.js';
import { LARGEST_SINGLE } from '../kernels/loss/loss-kernel.js';
import type { ClassStatistics } from './define/class-statistics.js';
import type { EntryLoss, Moment, ValueAndSlope } from './define/loss.js';
import { BEGINNING } from './define/reference-loss.js';
import { traceBoundLoss } from './define/trace-bound-loss.js';

/**
 * What whoever writes a loss wants to know first: does the WGSL compute what the float64 reference says, and is the
 * slope the derivative of the value? A grid of logits meets every kind of target in every class, in rows of mixed
 * targets, by the kernel that training runs. Values are compared in the most frequent class, the rarest and the median
 * one: they take a run each.
 */
export interface LossCheck {
  /** Where the kernel's value, and its slope, is furthest from the reference's. */
  readonly value: Deviation;
  readonly slope: Deviation;
  /** Where the reference's slope is furthest from differences of its value; null where it leaves a part out by intent. */
  readonly difference: Deviation | null;
}

/** The worst of many comparisons. */
export interface Deviation {
  /**
   * Relative to the largest magnitude among the expected one, those at the hard targets 0 and 1 (a soft target mixes
   * the two, and they may cancel), and `SMALLEST_SCALE`. Infinity where a number is not finite.
   */
  readonly error: number;
  readonly x: number;
  /** NaN is unknown. */
  readonly y: number;
  readonly class: number;
  readonly moment: Moment;
  readonly expected: number;
  readonly got: number;
}

const SMALLEST_SCALE = 1e-3;
/** Of differences, in float64. */
const STEP = 1e-5;

const FAR = [15, 19, 25, 40, 60, 80, 88, 104, 1_000, 10_000];
const NEAR = Array.from({ length: 49 }, (_, i) => i / 4 - 6.01);
const LOGITS = [...FAR.map((x) => -x), ...NEAR.map((x) => 2 * x), ...NEAR, ...FAR].map(Math.fround);
const TARGETS = [0, 1, Number.NaN, 0.5, 0.9].map(Math.fround);
/** Rows of a run: few, as a value takes a run of its own. */
const MOST_ROWS = 64;
/** Beyond, differences of values in the thousands have no digits left. */
const FURTHEST_DIFFERENCE = 104;
/** Prime to the number of pairs, and so large that neighbouring classes differ in logit and target. */
const STRIDE = 127;
/** Runs whose values are kept before they are read. */
const HISTORY = 1024;
/** A loss may change in the course of a training. */
const MOMENTS: readonly Moment[] = [BEGINNING, { epoch: 1_000, progress: 0.999 }];

interface Entry {
  readonly x: number;
  readonly y: number;
  readonly class: number;
  /** Of the row that the entry is in. */
  readonly row: number;
}

/** @param statistics of the training labels. Throws `LossError` where the loss wants some that are missing. */
export async function checkLoss(
  device: Device,
  bound: EntryLoss,
  statistics: ClassStatistics,
): Promise<LossCheck> {
  const kernel = await BlockKernel.create(device, bound, statistics);
  try {
    const found: LossCheck[] = [];
    const start = bound.schedule(BEGINNING).join();
    for (const moment of MOMENTS) {
      if (found.length > 0 && bound.schedule(moment).join() === start) continue;
      found.push(await checkMoment(kernel, new Examination(bound, statistics, moment)));
    }
    return {
      value: worst(found.map(({ value }) => value)),
      slope: worst(found.map(({ slope }) => slope)),
      difference: bound.partialGradient
        ? null
        : worst(found.flatMap(({ difference }) => (difference ? [difference] : []))),
    };
  } finally {
    kernel.destroy();
  }
}

async function checkMoment(kernel: BlockKernel, exam: Examination): Promise<LossCheck> {
  const { classes, classCounts = [] } = exam.statistics;
  const rows = exam.grid();
  const slopes = await kernel.slopes(rows, exam.scheduled);
  const byCount = Array.from({ length: classes }, (_, c) => c).sort(
    (a, b) => (classCounts[b] ?? 0) - (classCounts[a] ?? 0),
  );
  const chosen = new Set([at(byCount, 0), at(byCount, classes >> 1), at(byCount, -1)]);
  const entries = rows.flat();
  const known = entries.filter(({ y }) => !Number.isNaN(y));
  const alone = known
    .filter((entry) => chosen.has(entry.class))
    .map((entry) => ({ ...entry, row: exam.rowTerm(entry) }));
  const values = await kernel.values(alone, exam.scheduled);
  return {
    value: worst(alone.map((entry, i) => exam.deviation(entry, 'value', at(values, i)))),
    slope: worst(entries.map((entry, i) => exam.deviation(entry, 'slope', at(slopes, i)))),
    difference: worst(
      known.filter(({ x }) => Math.abs(x) <= FURTHEST_DIFFERENCE).map((entry) => exam.difference(entry)),
    ),
  };
}

/** The kernel that training runs, for so many rows that one workgroup takes them. */
class BlockKernel {
  readonly #program: Program;
  readonly #slopes: Tensor;
  readonly #rows: number;
  readonly #classes: number;

  private constructor(program: Program, slopes: Tensor) {
    this.#program = program;
    this.#slopes = slopes;
    [this.#rows = 1, this.#classes = 1] = slopes.shape;
  }

  static async create(device: Device, bound: EntryLoss, statistics: ClassStatistics): Promise<BlockKernel> {
    const graph = new Graph();
    const { classes } = statistics;
    const shape = [Math.max(1, Math.min(MOST_ROWS, Math.floor(LARGEST_SINGLE / classes))), classes];
    const logits = graph.input('logits', shape);
    const numbers = bound.schedule(BEGINNING).length;
    const value = traceBoundLoss(bound, logits, graph.input('targets', shape), {
      ...statistics,
      reduction: 'sum',
      scheduled: numbers > 0 ? graph.input('scheduled', [numbers]) : undefined,
    });
    const slopes = at(grad(value, [logits]), 0);
    if (!slopes) throw new RangeError('a loss has a gradient');
    const program = await compile(device, {
      graph,
      outputs: [slopes],
      records: [value],
      recordCapacity: HISTORY,
    });
    return new BlockKernel(program, slopes);
  }

  /** [rows, classes] */
  async slopes(rows: readonly (readonly Entry[])[], scheduled: readonly number[]): Promise<Float32Array> {
    const slopes = new Float32Array(rows.length * this.#classes);
    for (let first = 0; first < rows.length; first += this.#rows) {
      const block = rows.slice(first, first + this.#rows);
      this.#run(block, scheduled);
      const got = await this.#program.read(this.#slopes);
      slopes.set(got.subarray(0, block.length * this.#classes), first * this.#classes);
      await this.#program.history();
    }
    return slopes;
  }

  /** Values of entries that are alone. */
  async values(entries: readonly Entry[], scheduled: readonly number[]): Promise<number[]> {
    const values: number[] = [];
    for (let first = 0; first < entries.length; first += HISTORY) {
      for (const entry of entries.slice(first, first + HISTORY)) this.#run([[entry]], scheduled);
      values.push(...(await this.#program.history()).map(([value = Number.NaN]) => value));
    }
    return values;
  }

  destroy(): void {
    this.#program.destroy();
  }

  /** Classes without an entry are unknown. */
  #run(rows: readonly (readonly Entry[])[], scheduled: readonly number[]): void {
    const logits = new Float32Array(this.#rows * this.#classes);
    const targets = new Float32Array(logits.length).fill(Number.NaN);
    for (const [i, row] of rows.entries()) {
      for (const { x, y, class: c } of row) {
        logits[i * this.#classes + c] = x;
        targets[i * this.#classes + c] = y;
      }
    }
    this.#program.run({
      logits,
      targets,
      ...(scheduled.length > 0 && { scheduled: Float32Array.from(scheduled) }),
    });
  }
}

/** A loss at one moment of a training. */
class Examination {
  readonly #constants: readonly (readonly number[])[];
  readonly scheduled: readonly number[];

  constructor(
    readonly bound: EntryLoss,
    readonly statistics: ClassStatistics,
    readonly moment: Moment,
  ) {
    const rows = bound.classConstants(statistics);
    this.#constants = Array.from({ length: statistics.classes }, (_, c) => rows.map((row) => at(row, c)));
    this.scheduled = bound.schedule(moment);
  }

  /** Rows in which every class meets every pair of logit and target once, beside other pairs. */
  grid(): Entry[][] {
    const { classes } = this.statistics;
    const pairs = TARGETS.flatMap((y) => LOGITS.map((x) => ({ x, y })));
    return pairs.map((_, i) => {
      const row = Array.from({ length: classes }, (_, c) => ({
        ...at(pairs, (i + STRIDE * c) % pairs.length),
        class: c,
        row: 0,
      }));
      const sum = row.reduce((total, entry) => total + this.rowTerm(entry), 0);
      return row.map((entry) => ({ ...entry, row: sum }));
    });
  }

  rowTerm({ y, class: c }: Pick<Entry, 'y' | 'class'>): number {
    return Number.isNaN(y) ? 0 : this.bound.rowTerm(this.#smoothed(y), at(this.#constants, c));
  }

  deviation(entry: Entry, what: 'value' | 'slope', got: number): Deviation {
    const { x, y } = entry;
    if (Number.isNaN(y)) return this.#compare(entry, 0, got, SMALLEST_SCALE);
    const expected = this.#at(entry, x)[what];
    return this.#compare(entry, expected, got, this.#scale(entry, what, expected));
  }

  /** The slope as it should be, from the values around; on either side of a kink, that side's will do. */
  difference(entry: Entry): Deviation {
    const { x } = entry;
    const [below, here, above] = [x - STEP, x, x + STEP].map((each) => this.#at(entry, each));
    if (!below || !here || !above) throw new RangeError('three values');
    const scale = this.#scale(entry, 'slope', here.slope);
    const expected = [
      (above.value - below.value) / (2 * STEP),
      (above.value - here.value) / STEP,
      (here.value - below.value) / STEP,
    ];
    const all = expected.map((difference) => this.#compare(entry, difference, here.slope, scale));
    // a difference from one side is good to the step only
    const [central, ...sided] = all;
    if (!central) throw new RangeError('three differences');
    return central.error > 1e-3 && sided.some(({ error }) => error < 1e-3)
      ? { ...central, error: 0 }
      : central;
  }

  #at({ y, class: c, row }: Entry, x: number, target = this.#smoothed(y)): ValueAndSlope {
    return this.bound.reference(x, target, {
      constants: at(this.#constants, c),
      row,
      scheduled: this.scheduled,
    });
  }

  #scale(entry: Entry, what: 'value' | 'slope', expected: number): number {
    const hard = [0, 1].map((y) => this.#at(entry, entry.x, y)[what]);
    return Math.max(SMALLEST_SCALE, ...[expected, ...hard].map(Math.abs));
  }

  #smoothed(y: number): number {
    const { labelSmoothing } = this.bound;
    return y * (1 - labelSmoothing) + labelSmoothing / 2;
  }

  #compare({ x, y, class: c }: Entry, expected: number, got: number, scale: number): Deviation {
    const relative = Math.abs(got - expected) / scale;
    const error = Number.isFinite(relative) ? relative : Number.POSITIVE_INFINITY;
    return { error, x, y, class: c, moment: this.moment, expected, got };
  }
}

function worst(all: readonly Deviation[]): Deviation {
  return all.reduce((leader, each) => (each.error > leader.error ? each : leader));
}
