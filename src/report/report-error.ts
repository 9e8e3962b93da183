import { TailrayError } from '../engine/errors.js';

/** A folder that holds no run, or a file of a run that can't be understood; names the file and what to do. */
export class ReportError extends TailrayError {}
