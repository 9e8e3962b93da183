/**
 * The errors that a caller may want to tell apart. Every message names the fault, its place, and a way out. Commands print a
 * `TailrayError` without a stack trace; any other error is a bug and keeps its trace.
 */
export class TailrayError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Shapes, dtypes or attributes of an op do not fit; thrown while tracing, before anything runs. */
export class ShapeError extends TailrayError {}

/** No adapter fits what was asked for, or the one named does not exist. */
export class AdapterError extends TailrayError {}

/** A tensor or the whole plan needs more than the adapter gives; names the op or tensor and both sizes. */
export class OutOfMemoryError extends TailrayError {}

/** No plan fits the memory that was allowed; says the least that one takes. */
export class MemoryBudgetError extends OutOfMemoryError {
  /** @param leastBytes of the smallest plan that was found: a budget of so much works */
  constructor(
    message: string,
    readonly leastBytes: number,
  ) {
    super(message);
  }
}

/** The adapter has no kernel variant for an op, or the driver refused one; names the op. */
export class KernelError extends TailrayError {}

/** The device went away (driver reset, unplugged, `close()` while work was pending). */
export class DeviceLostError extends TailrayError {}
