import { TailrayError } from '../engine/errors.js';

/** The architecture or the head is unknown, or its options make no network. */
export class ModelError extends TailrayError {}
