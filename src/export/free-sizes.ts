import { at, Graph, type Tensor } from '../engine/graph/tensor.js';
import type { ModelDefinition, TracedModel } from '../models/model.js';
import { ExportError } from './export-error.js';

/**
 * Which sizes of a network depend on its input. A trace has numbers only; so the network is traced several times, each
 * time with one size of the input changed, and what differs between the traces is what must stay free in a file that
 * takes any batch.
 */

/** Sizes of the input: axes 0, 1, 2 of [n, h, w, c]. */
export type InputAxis = 0 | 1 | 2;

export interface Trace extends Pick<TracedModel, 'logits' | 'features' | 'embedding'> {
  readonly graph: Graph;
  readonly images: Tensor;
}

/** Not 1, which a broadcast would hide. */
const BATCHES = [2, 3] as const;
/** What a side is lengthened by: more than any stride can swallow, odd so that halving it is seen to round, unlike. */
const LONGER = { 1: 65, 2: 97 } as const;

export class FreeSizes {
  /** The first trace, which is what gets translated. */
  readonly base: Trace;
  /** For each trace, its tensors by their number. */
  readonly #tensors: readonly (readonly (Tensor | undefined)[])[];

  /** @param anyImageSize whether height and width stay free, too @throws ExportError, ShapeError */
  constructor(definition: ModelDefinition, imageSize: readonly [number, number], anyImageSize: boolean) {
    const [h, w] = imageSize;
    const inputs = [
      [BATCHES[0], h, w],
      [BATCHES[1], h, w],
      ...(anyImageSize
        ? [
            [BATCHES[0], h + LONGER[1], w],
            [BATCHES[0], h, w + LONGER[2]],
          ]
        : []),
    ];
    const traces = inputs.map((sizes) => trace(definition, sizes));
    const base = at(traces, 0);
    for (const { graph } of traces) {
      const same = graph.nodes.every(({ op }, i) => op === base.graph.nodes[i]?.op);
      if (same && graph.nodes.length === base.graph.nodes.length) continue;
      throw new ExportError(
        `${definition.config.arch} is another network for another ${anyImageSize ? 'batch or image' : 'batch'} size: ` +
          'one file cannot hold it.',
      );
    }
    this.base = base;
    this.#tensors = traces.map(({ graph }) => tensorsOf(graph));
  }

  /** The size of an axis in each trace. */
  of(tensor: Tensor, axis: number): readonly number[] {
    return this.#tensors.map((tensors) => {
      const size = tensors[tensor.id]?.shape.at(axis);
      if (size === undefined) throw new RangeError(`tensor ${tensor.id} has no axis ${axis}`);
      return size;
    });
  }

  /** The size of an axis where it is always the same. */
  fixed(tensor: Tensor, axis: number): number | undefined {
    const [first, ...others] = this.of(tensor, axis);
    return others.every((size) => size === first) ? first : undefined;
  }

  /** Whether two axes are as long as each other, whatever the input. */
  same(a: Tensor, axisOfA: number, b: Tensor, axisOfB: number): boolean {
    const sizes = this.of(b, axisOfB);
    return this.of(a, axisOfA).every((size, i) => size === sizes[i]);
  }

  /** The axis of the input that an axis is always as long as. */
  inputAxis(tensor: Tensor, axis: number): InputAxis | undefined {
    return ([0, 1, 2] as const).find((candidate) => this.same(tensor, axis, this.base.images, candidate));
  }
}

function trace(definition: ModelDefinition, [n = 1, h = 1, w = 1]: readonly number[]): Trace {
  const graph = new Graph();
  const images = graph.input('images', [n, h, w, definition.config.inChannels]);
  const { logits, features, embedding } = definition.trace(graph, images, 'eval');
  return { graph, images, logits, features, ...(embedding && { embedding }) };
}

function tensorsOf(graph: Graph): (Tensor | undefined)[] {
  const tensors: (Tensor | undefined)[] = [];
  for (const { inputs, outputs } of graph.nodes) {
    for (const tensor of [...inputs, ...outputs]) tensors[tensor.id] = tensor;
  }
  for (const tensor of graph.inputs.values()) tensors[tensor.id] = tensor;
  return tensors;
}
