import type { EntryLoss, Loss } from '../../src/losses/define/loss.js';

/** A loss of single entries with these parameters; throws for one of whole batches. */
export function entryLoss(loss: Loss, parameters: Readonly<Record<string, unknown>> = {}): EntryLoss {
  const bound = loss.bind(parameters);
  if (bound.kind !== 'entries') throw new TypeError(`${loss.name} is a loss of whole batches`);
  return bound;
}
