import type { Tensor } from '../engine/graph/tensor.js';
import { ExportError } from './export-error.js';
import type { FreeSizes } from './free-sizes.js';
import type { OnnxAttribute, OnnxGraph } from './onnx-graph.js';

/**
 * What the rules of translation work with: the ONNX graph so far, and where in it each of our tensors lies.
 *
 * Our tensors are channels-last, ONNX's convolutions channels-first, and weights lie as PyTorch has them. So a value is
 * noted together with the order of its axes in the file, each rule asks for its operands in the order that it needs, and
 * a Transpose is written only where the orders differ: a ResNet has none.
 */
export interface StoredValue {
  /** Of the value in the ONNX graph. */
  readonly name: string;
  /** Axis i in the file is axis `axes[i]` of our tensor. */
  readonly axes: readonly number[];
}

/** [n, h, w, c] as [n, c, h, w] */
export const CHANNELS_FIRST = [0, 3, 1, 2];

export class Translation {
  readonly #values = new Map<Tensor, StoredValue>();
  readonly #ordered = new Map<string, string>();
  /** Where in the network the nodes that are written now belong. */
  scope = '';

  constructor(
    readonly onnx: OnnxGraph,
    readonly sizes: FreeSizes,
    /** Gives the tensors that are no result of an op: input, weights, constants. */
    readonly load: (tensor: Tensor) => StoredValue,
  ) {}

  /** Notes where a result lies. @param axes default: as ours */
  set(tensor: Tensor, name: string, axes: readonly number[] = inOrder(tensor)): void {
    this.#values.set(tensor, { name, axes });
  }

  /** Where a tensor lies, in whatever order. */
  stored(tensor: Tensor): StoredValue {
    let value = this.#values.get(tensor);
    if (!value) {
      if (tensor.source.kind === 'op') {
        throw new ExportError(`${tensor.source.node.label}: this result has not been translated.`);
      }
      value = this.load(tensor);
      this.#values.set(tensor, value);
    }
    return value;
  }

  /** Name of a value with its axes in the given order. @param axes default: as ours */
  ordered(tensor: Tensor, axes: readonly number[] = inOrder(tensor)): string {
    const { name, axes: stored } = this.stored(tensor);
    if (sameOrder(stored, axes)) return name;
    const key = `${name} ${stored} ${axes}`;
    let ordered = this.#ordered.get(key);
    if (ordered === undefined) {
      ordered = this.emit('Transpose', [name], { perm: axes.map((axis) => stored.indexOf(axis)) });
      this.#ordered.set(key, ordered);
    }
    return ordered;
  }

  /** Adds a node. @returns the name of its (first) output */
  emit(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    return this.onnx.node(operator, inputs, attributes, this.scope);
  }

  /** An f32 constant. */
  scalar(value: number): string {
    return this.onnx.scalar(value);
  }

  /**
   * The shape of a tensor whose axes lie as in `axes`, as a value that is known when the model runs.
   * @param one for which axes to give 1 instead
   */
  shape(tensor: Tensor, axes: readonly number[], one: (axis: number) => boolean = () => false): string {
    const parts = axes.map((axis) => {
      const fixed = one(axis) ? 1 : this.sizes.fixed(tensor, axis);
      if (fixed !== undefined) return this.integers([fixed]);
      const source = this.sizes.inputAxis(tensor, axis);
      if (source === undefined) {
        throw new ExportError(
          `${this.scope}: its shape [${tensor.shape}] depends on the input in a way that has no ONNX form.`,
        );
      }
      const { images } = this.sizes.base;
      const start = this.stored(images).axes.indexOf(source);
      return this.emit('Shape', [this.stored(images).name], { start, end: start + 1 });
    });
    return this.emit('Concat', parts, { axis: 0 });
  }

  /** A constant list of whole numbers, as some operators take their axes and shapes. */
  integers(values: readonly number[]): string {
    return this.onnx.integers(values);
  }
}

/** The axes of a tensor in their own order. */
export function inOrder({ shape }: Pick<Tensor, 'shape'>): number[] {
  return shape.map((_, axis) => axis);
}

export function sameOrder(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((axis, i) => axis === b[i]);
}
