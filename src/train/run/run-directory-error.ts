import { TailrayError } from '../../engine/errors.js';

/** A run directory that is taken or in use, or that holds no run where one is expected. */
export class RunDirectoryError extends TailrayError {}
