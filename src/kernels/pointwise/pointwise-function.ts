import type { Tensor } from '../../engine/graph/tensor.js';
import type { ElementFunction } from './expression.js';

/**
 * A pointwise function with its gradient, written with ops. Most functions are rows of pointwise-table.ts. A function
 * that means something in one family only (the affine part of a batch norm) is declared in that family's file.
 */
export interface PointwiseFunction extends ElementFunction {
  /** The gradient of each argument, of the result's shape: a broadcast is undone by `differentiate`. */
  gradient(context: GradientContext): (Tensor | undefined)[];
}

export interface GradientContext {
  /** Of the result. */
  readonly gradient: Tensor;
  /** The traced operands and the traced result. */
  readonly args: readonly Tensor[];
  readonly output: Tensor;
  /** The literals. */
  readonly params: readonly number[];
}
