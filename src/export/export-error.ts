import { TailrayError } from '../engine/errors.js';

/** A network that has no form in the format it was to be written in; says which part of it, and what can be done. */
export class ExportError extends TailrayError {}
