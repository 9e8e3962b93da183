import { TailrayError } from '../../engine/errors.js';

/** A loss that is not registered, a parameter out of range, or labels and class counts that do not fit; says which. */
export class LossError extends TailrayError {}
