/** What can go wrong when a phantom data set is asked for or written. */
import { TailrayError } from '../engine/errors.js';

/** An option is out of its range; names the option, the range and what was given. */
export class PhantomOptionsError extends TailrayError {}

/** The data set could not be written; nothing of it is left behind. */
export class PhantomWriteError extends TailrayError {}
