import { TailrayError } from '../../engine/errors.js';
import { formatDifferences, type TensorDifference } from './tensor-differences.js';

/** The weights of a file are not those of the model; the message lists the tensors that differ. */
export class WeightsError extends TailrayError {
  constructor(
    /** All of them; the message shows the first ones. */
    readonly differences: readonly TensorDifference[],
  ) {
    const n = differences.length;
    super(
      `the weights do not fit the model: ${n} tensor${n === 1 ? ' differs' : 's differ'}\n${formatDifferences(differences)}`,
    );
  }

  /** Whether a fresh head would do: the backbone has every tensor, and no other. */
  get headOnly(): boolean {
    return this.differences.every(({ part }) => part === 'head');
  }
}
