import { MemoryBudgetError, TailrayError } from '../../engine/errors.js';
import { formatByteSize, sufficientByteSize } from '../../text/byte-size.js';

/** What to tell a person whose run does not fit the memory that they allow: the least that would do, and which batch. */
export interface MemoryMisfit {
  /** Bytes allowed. */
  readonly memory: number;
  /** Bytes beside what the step's plan was allowed: those of the evaluation. */
  readonly beside: number;
  readonly batchSize: number;
  /** Whether a run with batches of this size fits; planning may fail. */
  fits(batchSize: number): boolean;
}

export function memoryAdvice(error: MemoryBudgetError, misfit: MemoryMisfit): MemoryBudgetError {
  const { memory, batchSize, beside } = misfit;
  const least = error.leastBytes + beside;
  const batch = largestBatch(misfit);
  const smaller =
    batch > 0
      ? `batches of ${batch} instead of ${batchSize} (--set batchSize=${batch}; with accumulate=${Math.ceil(batchSize / batch)} a ` +
        'step has as many images)'
      : 'not even single images; smaller ones (preprocessing.size) or a smaller network would have to do';
  return new MemoryBudgetError(
    `training does not fit ${formatByteSize(memory)} of memory. With all recomputed that helps, batches of ${batchSize} ` +
      `take ${formatByteSize(least)} (--memory ${sufficientByteSize(least)}); within ${formatByteSize(memory)} fit ${smaller}. ` +
      `Of this, ${formatByteSize(beside)} is for evaluation; of the step, ${error.message}.`,
    least,
  );
}

/** 0 where none fits. */
function largestBatch({ batchSize, fits }: MemoryMisfit): number {
  let [fitting, failing] = [0, batchSize];
  while (failing - fitting > 1) {
    const middle = (fitting + failing) >> 1;
    if (fitsAtAll(middle, fits)) fitting = middle;
    else failing = middle;
  }
  return fitting;
}

/** A batch may be too small for a norm, or too large for a single kernel: it does not fit then, either. */
function fitsAtAll(batchSize: number, fits: MemoryMisfit['fits']): boolean {
  try {
    return fits(batchSize);
  } catch (error) {
    if (error instanceof TailrayError) return false;
    throw error;
  }
}
