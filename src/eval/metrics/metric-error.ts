import { TailrayError } from '../../engine/errors.js';

/** Scores or targets that no metric can be computed from; names the row, the class and the value. */
export class MetricError extends TailrayError {}
