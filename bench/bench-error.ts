import { TailrayError } from '#src/engine/errors.js';

/** What was asked of the benchmark makes no sense; the message says what would. */
export class BenchError extends TailrayError {}
