import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { Graph } from '../engine/tensor.js';
import { grad } from '../kernels/grad.js';
import type { Loss, ValueAndSlope } from './define-loss.js';
import { traceLoss } from './trace-loss.js';

/**
 * What whoever writes a loss wants to know first: does the WGSL compute what the float64 reference says, and is the
 * slope the derivative of the value?
 */
export interface LossCheck {
  /** Largest error of the kernel's value, and of its slope, against the reference. */
  readonly valueError: number;
  readonly slopeError: number;
  /**
   * Largest error of the reference's slope against central differences of its value, for logits in ±12 that are away
   * from kinks; large by intent where a loss leaves a term out of its gradient.
   */
  readonly differenceError: number;
}

/**
 * Errors are relative to the largest magnitude among the expected one, those at the hard targets 0 and 1 (a soft target
 * mixes the two, and they may cancel), and this.
 */
const SMALLEST_SCALE = 1e-3;

/** Of a central difference, in float64. */
const STEP = 1e-5;

const FAR = [15, 19, 25, 40, 60, 80, 88, 104, 1_000, 10_000];
const NEAR = Array.from({ length: 49 }, (_, i) => i / 4 - 6.01);
const LOGITS = [...FAR.map((x) => -x), ...NEAR.map((x) => 2 * x), ...NEAR, ...FAR];
const TARGETS = [0, 1, 0.5, 0.9];

/** One class, rare. */
const STATISTICS = { classes: 1, classCounts: [30], samples: 1_000 };

/**
 * Every logit from −10,000 to 10,000 of a fixed grid with hard and soft targets, one by one, by the kernel that
 * training runs.
 */
export async function checkLoss(
  device: Device,
  loss: Loss,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<LossCheck> {
  const bound = loss.bind(parameters);
  const constants = bound.classConstants(STATISTICS).map(([value = Number.NaN]) => value);
  const entries = TARGETS.flatMap((y) => LOGITS.map((x) => ({ x: Math.fround(x), y: Math.fround(y) })));
  const measured = await runEntries(device, loss, parameters, entries);
  const errors: LossCheck[] = entries.map(({ x, y }, i) => {
    const smoothed = y * (1 - bound.labelSmoothing) + bound.labelSmoothing / 2;
    const expected = bound.reference(x, smoothed, constants);
    const around = [0, 1].map((hard) => bound.reference(x, hard, constants));
    const above = bound.reference(x + STEP, smoothed, constants);
    const below = bound.reference(x - STEP, smoothed, constants);
    const difference = (above.value - below.value) / (2 * STEP);
    const valueScale = scale([expected, ...around].map(({ value }) => value));
    const slopeScale = scale([expected, ...around].map(({ slope }) => slope));
    return {
      valueError: error(measured[i]?.value, expected.value, valueScale),
      slopeError: error(measured[i]?.slope, expected.slope, slopeScale),
      differenceError: Math.abs(x) <= 12 ? error(expected.slope, difference, slopeScale) : 0,
    };
  });
  const worst = (key: keyof LossCheck) => errors.reduce((largest, entry) => Math.max(largest, entry[key]), 0);
  return {
    valueError: worst('valueError'),
    slopeError: worst('slopeError'),
    differenceError: worst('differenceError'),
  };
}

async function runEntries(
  device: Device,
  loss: Loss,
  parameters: Readonly<Record<string, unknown>>,
  entries: readonly { x: number; y: number }[],
): Promise<ValueAndSlope[]> {
  const graph = new Graph();
  const logit = graph.input('logit', [1, 1]);
  const value = traceLoss(loss, parameters, logit, graph.input('target', [1, 1]), {
    ...STATISTICS,
    reduction: 'sum',
  });
  const program = await compile(device, {
    graph,
    records: [value, ...grad(value, [logit])],
    recordCapacity: entries.length,
  });
  try {
    for (const { x, y } of entries) program.run({ logit: Float32Array.of(x), target: Float32Array.of(y) });
    const rows = await program.history();
    return rows.map(([v = Number.NaN, slope = Number.NaN]) => ({ value: v, slope }));
  } finally {
    program.destroy();
  }
}

function scale(magnitudes: readonly number[]): number {
  return Math.max(SMALLEST_SCALE, ...magnitudes.map(Math.abs));
}

/** Infinity where either is not a finite number. */
function error(actual = Number.NaN, expected: number, relativeTo: number): number {
  const relative = Math.abs(actual - expected) / relativeTo;
  return Number.isFinite(relative) ? relative : Number.POSITIVE_INFINITY;
}
