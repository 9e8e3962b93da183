import { TailrayError } from '../../engine/errors.js';

/** A parameter of an optimizer is unknown or out of range, or its name is. */
export class OptimizerError extends TailrayError {}
