import { at, elementCount, Graph, type Node } from '../engine/graph/tensor.js';
import type { ModelDefinition } from './model.js';

/**
 * What one image costs a network, counted as timm's published results are (`infer_gmacs` and `infer_macts`, by fvcore's
 * rules), so that ours can be held beside them.
 */
export interface ModelCost {
  /**
   * Multiply-adds of the forward pass: those of convolutions and matrix products, half their floating-point operations; 2
   * an element of a batch norm, 5 of a layer norm. Activations, pooling and GRN are not counted.
   */
  readonly multiplyAdds: number;
  /** Values that convolutions and matrix products put out: what memory in training goes with. */
  readonly activations: number;
}

/** Ops whose work is multiply-adds. */
const PRODUCTS: ReadonlySet<string> = new Set(['conv2d', 'bmm', 'attention']);

const BATCH_NORM_COST = 2;
const LAYER_NORM_COST = 5;

/** @param size [height, width] @throws ShapeError where the network can't take such an image */
export function modelCost(
  definition: ModelDefinition,
  [height, width]: readonly [number, number],
): ModelCost {
  const graph = new Graph();
  const images = graph.input('images', [1, height, width, definition.config.inChannels]);
  definition.trace(graph, images, 'eval');
  const products = graph.nodes.filter(({ op }) => PRODUCTS.has(op.name));
  const norms =
    sum(graph.nodes.filter(({ op }) => op.name === 'layerNorm').map(outputElements)) * LAYER_NORM_COST +
    sum(
      [...graph.composites]
        .filter(([, { name }]) => name === 'batchNormInference')
        .map(([result]) => elementCount(result.shape)),
    ) *
      BATCH_NORM_COST;
  return {
    multiplyAdds: sum(products.map((node) => node.op.flops(node) / 2)) + norms,
    activations: sum(products.map(outputElements)),
  };
}

function outputElements({ outputs }: Node): number {
  return elementCount(at(outputs, 0).shape);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
