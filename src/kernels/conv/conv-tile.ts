import { at, type DeviceTraits, type Problem, type Variant } from '../../engine/graph/tensor.js';
import { type FinishingVariant, NO_EPILOGUE } from '../common/epilogue.js';
import { tileFamily } from '../product/tile-family.js';
import { type TileKernel, tileStep, unfitProduct } from '../product/tile-kernel.js';
import { matrixTiles } from '../product/tile-matrix.js';
import { planTiles, rankOf } from '../product/tile-plan.js';
import {
  forwardProduct,
  inputGradientProduct,
  type TileProduct,
  weightBiasProduct,
  weightGradientProduct,
} from '../product/tile-product.js';
import { tileSubgroup } from '../product/tile-subgroup.js';
import { thenColumnSums } from '../reduce/column-sums.js';
import { splitSum } from '../reduce/split-sum.js';
import type { ConvGeometry } from './conv-geometry.js';

/**
 * Convolution and matrix product for GPUs: each direction as a matrix product (tile-product.ts), computed by one of the
 * kernels below. Which of them a problem gets is ranked by the time that its tiles should take (tile-plan.ts); a tuner may
 * know better.
 */
const KERNELS: readonly TileKernel[] = [...tileFamily, ...matrixTiles, tileSubgroup];

export const { forward, inputGradient, weightGradient } = directionsBy(KERNELS);

export const weightBiasGradient = weightBiasGradientBy(KERNELS);

/** Output 1 is the gradient of a bias: the sums of dy's columns. Kernels that cannot add them up are followed by a sum. */
export function weightBiasGradientBy(kernels: readonly TileKernel[]): readonly Variant<ConvGeometry>[] {
  const alone = variants(weightGradientProduct, kernels);
  const joined = variants(weightBiasProduct, kernels);
  return kernels.map((kernel, i) => {
    const followed = thenColumnSums(at(alone, i), 1);
    return {
      ...followed,
      build(problem, traits) {
        const product = weightBiasProduct(problem, kernel.shape(traits).slice);
        return (kernel.sumsColumns?.(product) ? at(joined, i) : followed).build(problem, traits);
      },
    };
  });
}

/** The variants of each direction, one a kernel. */
export function directionsBy(kernels: readonly TileKernel[]) {
  return {
    forward: variants(forwardProduct, kernels),
    inputGradient: variants(inputGradientProduct, kernels),
    weightGradient: variants(weightGradientProduct, kernels),
  };
}

function variants(
  productOf: (problem: Problem<ConvGeometry>, slice: number) => TileProduct,
  kernels: readonly TileKernel[],
): readonly FinishingVariant<ConvGeometry>[] {
  return kernels.map((kernel) => ({
    name: kernel.name,
    ...(kernel.family && { family: kernel.family }),
    finishes: true,

    unfit(problem, traits) {
      if (problem.attributes.groups !== 1) return 'groups share no tile';
      const reason = kernel.unfit(productOf(problem, 1), traits);
      if (reason !== undefined) return reason;
      const shape = kernel.shape(traits);
      const product = productOf(problem, shape.slice);
      const inFours = product.left.vector && product.right.vector;
      if (traits.adapter === 'swiftshader' && !inFours) return "takes SwiftShader's compiler minutes";
      return unfitProduct(product, shape, traits);
    },

    rank(problem, traits) {
      const shape = kernel.shape(traits);
      // Barriers and workgroup memory cost a software adapter more than they save. Small tiles compile faster there.
      if (traits.kind === 'software') return 200 + shape.rows * shape.columns * shape.slice;
      return rankOf(planTiles(productOf(problem, shape.slice), shape, traits));
    },

    build(problem, traits: DeviceTraits, epilogue = NO_EPILOGUE) {
      const shape = kernel.shape(traits);
      const product = productOf(problem, shape.slice);
      const { splits } = planTiles(product, shape, traits);
      const { dtype } = at(problem.outputs, 0);
      const { elements, columns, columnSums } = product;
      const second = columnSums ? columns : 0;
      return splitSum({ splits, elements, second, traits, dtype, epilogue }, (partial) => [
        tileStep(kernel, product, shape, { splits, ...partial }),
      ]);
    },
  }));
}
