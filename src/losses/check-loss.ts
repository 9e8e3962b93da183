import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { at, Graph } from '../engine/tensor.js';
import { grad } from '../kernels/grad.js';
import type { ClassStatistics } from './class-statistics.js';
import type { EntryLoss, Moment, ValueAndSlope } from './loss.js';
import { BEGINNING } from './reference-loss.js';
import { traceBoundLoss } from './trace-loss.js';

/**
 * What whoever writes a loss wants to know first: does the WGSL compute what the float64 reference says, and is the
 * slope the derivative of the value? A grid of logits meets every kind of target in every class, in rows of mixed
 * targets, by the kernel that training runs.
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
/** Beyond, differences of values in the thousands have no digits left. */
const FURTHEST_DIFFERENCE = 104;
/** Values are asked for one by one: of so many classes, from the most frequent to the rarest. */
const VALUE_CLASSES = 3;
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
  const found: LossCheck[] = [];
  const start = bound.schedule(BEGINNING).join();
  for (const moment of MOMENTS) {
    if (found.length > 0 && bound.schedule(moment).join() === start) continue;
    found.push(await checkMoment(device, new Examination(bound, statistics, moment)));
  }
  return {
    value: worst(found.map(({ value }) => value)),
    slope: worst(found.map(({ slope }) => slope)),
    difference: bound.partialGradient
      ? null
      : worst(found.flatMap(({ difference }) => (difference ? [difference] : []))),
  };
}

async function checkMoment(device: Device, exam: Examination): Promise<LossCheck> {
  const { classes } = exam.statistics;
  const grid = exam.grid();
  const slopes = await exam.slopesOf(device, grid);
  const counts = exam.statistics.classCounts ?? [];
  const byCount = Array.from({ length: classes }, (_, c) => c).sort(
    (a, b) => (counts[b] ?? 0) - (counts[a] ?? 0),
  );
  const chosen = new Set(
    [at(byCount, 0), at(byCount, classes >> 1), at(byCount, -1)].slice(0, VALUE_CLASSES),
  );
  const alone = grid
    .filter((entry) => chosen.has(entry.class) && !Number.isNaN(entry.y))
    .map((entry) => ({ ...entry, row: exam.rowTerm(entry) }));
  const values = await exam.valuesOf(device, alone);
  return {
    value: worst(alone.map((entry, i) => exam.deviation(entry, 'value', at(values, i)))),
    slope: worst(grid.map((entry, i) => exam.deviation(entry, 'slope', at(slopes, i)))),
    difference: worst(
      grid
        .filter(({ x, y }) => Math.abs(x) <= FURTHEST_DIFFERENCE && !Number.isNaN(y))
        .map((e) => exam.difference(e)),
    ),
  };
}

/** A loss at one moment of a training. */
class Examination {
  readonly #constants: readonly (readonly number[])[];
  readonly #scheduled: readonly number[];

  constructor(
    readonly bound: EntryLoss,
    readonly statistics: ClassStatistics,
    readonly moment: Moment,
  ) {
    const rows = bound.classConstants(statistics);
    // what the kernel is given is f32
    this.#constants = Array.from({ length: statistics.classes }, (_, c) => rows.map((row) => at(row, c)));
    this.#scheduled = bound.schedule(moment);
  }

  /** [logits × targets, classes]: every pair in every class, other pairs beside it. */
  grid(): Entry[] {
    const { classes } = this.statistics;
    const pairs = TARGETS.flatMap((y) => LOGITS.map((x) => ({ x, y })));
    // prime to the number of pairs, so that neighbours differ in logit and target
    const stride = 127;
    return pairs.flatMap((_, i) => {
      const row = Array.from({ length: classes }, (_, c) => ({
        ...at(pairs, (i + stride * c) % pairs.length),
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

  /** Slopes of all entries of whole rows, in one run. */
  async slopesOf(device: Device, entries: readonly Entry[]): Promise<Float32Array> {
    const { classes } = this.statistics;
    const { graph, value, logits } = this.#trace(entries.length / classes);
    const [slopes] = grad(value, [logits]);
    if (!slopes) throw new RangeError('a loss has a gradient');
    const program = await compile(device, { graph, outputs: [slopes] });
    try {
      program.run({
        logits: Float32Array.from(entries, ({ x }) => x),
        targets: Float32Array.from(entries, ({ y }) => y),
      });
      return await program.read(slopes);
    } finally {
      program.destroy();
    }
  }

  /** Values of entries that are alone in their row, one a run. */
  async valuesOf(device: Device, entries: readonly Entry[]): Promise<number[]> {
    const { graph, value } = this.#trace(1);
    const program = await compile(device, { graph, records: [value], recordCapacity: entries.length });
    const logits = new Float32Array(this.statistics.classes);
    const targets = new Float32Array(this.statistics.classes);
    try {
      for (const { x, y, class: c } of entries) {
        logits[c] = x;
        targets.fill(Number.NaN)[c] = y;
        program.run({ logits, targets });
      }
      return (await program.history()).map(([each = Number.NaN]) => each);
    } finally {
      program.destroy();
    }
  }

  #trace(rows: number) {
    const graph = new Graph();
    const shape = [rows, this.statistics.classes];
    const logits = graph.input('logits', shape);
    const numbers = Float32Array.from(this.#scheduled);
    const value = traceBoundLoss(this.bound, logits, graph.input('targets', shape), {
      ...this.statistics,
      reduction: 'sum',
      scheduled: numbers.length > 0 ? graph.constant(numbers, [numbers.length]) : undefined,
    });
    return { graph, logits, value };
  }

  #at({ y, class: c, row }: Entry, x: number, target = this.#smoothed(y)): ValueAndSlope {
    return this.bound.reference(x, target, {
      constants: at(this.#constants, c),
      row,
      scheduled: this.#scheduled,
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
