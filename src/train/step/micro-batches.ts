import type { BoundLoss } from '../../losses/define/loss.js';
import type { Reduction } from '../../losses/define/trace-loss.js';

/**
 * Several batches that make one step of the optimizer (`accumulate`). Their gradients are added up, so that the sum is that
 * of one large batch: exactly for losses that are sums or means over labels. A loss over pairs of images, or over whole
 * batches, is taken of each batch alone, and their mean counts. Batch norms see one batch at a time, as in PyTorch, and
 * their running statistics take each batch in turn.
 */

/** Weight of a batch in batch norm's running statistics, as PyTorch's `momentum`. */
const STATISTICS_MOMENTUM = 0.1;

/**
 * Weights of the losses of the batches, by which their sum is the loss of all: for a mean over known labels each batch's
 * share of these.
 * @param targets [batches · n, classes], NaN = unknown
 */
export function sharesOf(
  targets: Float32Array,
  batches: number,
  { kind, reduction }: { readonly kind: BoundLoss['kind']; readonly reduction: Reduction },
): number[] {
  if (kind === 'entries' && reduction === 'sum') return new Array<number>(batches).fill(1);
  if (kind === 'batch' || reduction === 'batchmean') return new Array<number>(batches).fill(1 / batches);
  const perBatch = targets.length / batches;
  const known = Array.from({ length: batches }, (_, k) => {
    let count = 0;
    for (let i = k * perBatch; i < (k + 1) * perBatch; i++) if (!Number.isNaN(targets[i])) count++;
    return count;
  });
  const all = known.reduce((sum, count) => sum + count, 0);
  return known.map((count) => (all === 0 ? 0 : count / all));
}

/**
 * Running statistics that take `batches` batches in turn, r ← (1 − m)·r + m·o, end where they would by taking their weighted
 * mean once: later batches weigh more, and the weight of all is 1 − (1 − m)^batches.
 */
export function momentumOf(batches: number): number {
  return batches === 1 ? STATISTICS_MOMENTUM : 1 - (1 - STATISTICS_MOMENTUM) ** batches;
}

/** By which the weighted mean of the batches before takes in batch `k`, counted from 0; 1 for the first. */
export function observedWeight(k: number): number {
  let sum = 0;
  for (let i = 0; i <= k; i++) sum = sum * (1 - STATISTICS_MOMENTUM) + 1;
  return 1 / sum;
}
