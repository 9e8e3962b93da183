import { TailrayError } from '../engine/errors.js';

/** A comparison that can't be planned, or whose runs don't belong together; says which and what to do. */
export class CompareError extends TailrayError {}
