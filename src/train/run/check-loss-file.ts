import type { Device } from '../../engine/device.js';
import { KernelError } from '../../engine/errors.js';
import { checkLoss, type Deviation } from '../../losses/check-loss.js';
import type { ClassStatistics } from '../../losses/define/class-statistics.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import { LossError } from '../../losses/define/loss-error.js';
import { significant } from '../../text/numbers.js';

/**
 * Nobody trains on a wrong gradient: a loss of one's own is held against its float64 twin, and the twin's slope against
 * differences of its value, before the first step.
 */
export interface LossFileCheck {
  readonly path: string;
  readonly bound: BoundLoss;
  /** Of the training labels. */
  readonly statistics: Omit<ClassStatistics, 'classes'>;
  readonly classNames: readonly string[];
}

/**
 * Relative error from which on a number counts as wrong. Room for a formula that is not written with every digit in
 * mind; a wrong sign or factor is far beyond.
 */
const TOLERANCE = 1e-3;

/** @returns what was found, in a sentence @throws LossError with the worst element of each comparison that fails */
export async function checkLossFile(
  device: Device,
  { path, bound, statistics, classNames }: LossFileCheck,
): Promise<string> {
  if (bound.kind !== 'entries') throw new LossError(`the loss ${path}: only defineLoss's can be checked.`);
  const check = await checkLoss(device, bound, { ...statistics, classes: classNames.length }).catch(
    (error: unknown) => {
      if (!(error instanceof KernelError)) throw error;
      throw new LossError(`the loss ${path}: its WGSL is not accepted: ${error.message}`, { cause: error });
    },
  );
  const comparisons: [what: string, deviation: Deviation | null][] = [
    ["the WGSL's value is not the reference's", check.value],
    ["the WGSL's slope is not the reference's", check.slope],
    ["the reference's slope is not the derivative of its value", check.difference],
  ];
  const wrong = comparisons.flatMap(([what, worst]) =>
    worst && worst.error > TOLERANCE ? [`  ${what}: ${where(worst, classNames)}`] : [],
  );
  if (wrong.length > 0) {
    throw new LossError(
      `the loss ${path} is wrong, so nothing was trained. Worst of all elements tried:\n${wrong.join('\n')}`,
    );
  }
  const worst = Math.max(...comparisons.map(([, deviation]) => deviation?.error ?? 0));
  return (
    `the loss ${bound.name} agrees with its reference and with differences, to ${worst.toExponential(1)} at worst` +
    `${check.difference === null ? '; its slope leaves a part out by intent, so it was not held against differences' : ''}.`
  );
}

function where({ x, y, class: c, moment, expected, got }: Deviation, classNames: readonly string[]): string {
  const target = Number.isNaN(y) ? 'unknown' : number(y);
  const later = moment.progress > 0 ? ', late in the training' : '';
  return `at x = ${number(x)}, y = ${target}, class "${classNames[c]}"${later}: expected ${number(expected)}, got ${number(got)}`;
}

/** Seven digits, those of f32. */
function number(value: number): string {
  return significant(value, 7);
}
