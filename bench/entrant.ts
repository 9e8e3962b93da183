import type { Shape } from '#src/engine/graph/tensor.js';

/** A library at the start of a race: what it was given, and how it is asked to run. */

/** A library that is ready to do the work. */
export interface Entrant {
  /**
   * Does the work `repeats` times and resolves when all of it is done: from ordinary tensors on the device to ordinary
   * tensors on the device.
   */
  round(repeats: number): Promise<void>;
  /** Where not the time of a round is what counts: the milliseconds that count of the last round. */
  counted?(): number;
  /** What the first `round(1)` gave, in tailray's layouts; asked for right after it. */
  results(): Promise<readonly Float32Array[]>;
  /** Most memory of tensors at any time of the work, operands included; null where the library does not tell. */
  readonly peakBytes: number | null;
  /** Of work whose cost nobody can write down beforehand, such as a whole training step: op by op. */
  readonly costs?: readonly Cost[];
  dispose(): void | Promise<void>;
}

/** Of the definition of some work, whatever a library really does. */
export interface Cost {
  /** A multiply-add is two. */
  readonly flops: number;
  /** That must be moved at least: each operand read once in every pass that cannot be avoided, each result written. */
  readonly bytes: number;
}

/** A tensor that goes into a workload or comes out. */
export interface TensorForm {
  /** In tailray's layout. */
  readonly shape: Shape;
  /** How the other libraries lay it out: `image` NHWC ↔ NCHW, `filter` HWIO ↔ OIHW; the same everywhere when absent. */
  readonly layout?: 'image' | 'filter';
  /**
   * Uniform in [−1, 1) when absent; `labels`: 1 with a probability of 5 %, else 0; `classes`: one 1 in each row; `causal`, of a square matrix: 0 up to
   * the diagonal and −10⁹ behind it.
   */
  readonly fill?: 'uniform' | 'labels' | 'classes' | 'ones' | 'zeros' | 'causal';
}
