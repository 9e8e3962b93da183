import { TailrayError } from '../engine/errors.js';

/** A map that cannot be had of this network, or not with these options. */
export class ExplainError extends TailrayError {}
