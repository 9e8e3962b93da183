import { at, type Problem } from '../../engine/graph/tensor.js';
import { type FinishingVariant, NO_EPILOGUE } from '../common/epilogue.js';
import { expectedSpeed, splitsFor, type TileKernel, tileStep, tilesOf } from '../product/tile-kernel.js';
import {
  forwardProducts,
  inputGradientProducts,
  type TileProduct,
  weightGradientProducts,
} from '../product/tile-product.js';
import { tileSubgroup } from '../product/tile-subgroup.js';
import { tile64, tile128 } from '../product/tile-workgroup.js';
import { splitSum } from '../reduce/split-sum.js';
import type { ConvGeometry } from './conv-geometry.js';

/**
 * Convolution and matrix product for GPUs: each direction as matrix products (tile-product.ts), computed by one of the
 * kernels below. Which of them a problem gets is ranked by how well its tiles fill a GPU; a tuner may know better.
 */
const KERNELS: readonly TileKernel[] = [tile64, tile128, tileSubgroup];

export const forward = variants(forwardProducts);
export const inputGradient = variants(inputGradientProducts);
export const weightGradient = variants(weightGradientProducts);

function variants(
  productsOf: (problem: Problem<ConvGeometry>) => TileProduct[],
): readonly FinishingVariant<ConvGeometry>[] {
  return KERNELS.map((kernel) => ({
    name: kernel.name,
    finishes: true,

    unfit(problem, traits) {
      if (problem.attributes.groups !== 1) return 'groups share no tile';
      for (const product of productsOf(problem)) {
        const reason = kernel.unfit(product, traits);
        if (reason !== undefined) return reason;
        const { rows, columns } = kernel.shape(product, traits);
        const most = Math.max(tilesOf(product.rows, rows), tilesOf(product.columns, columns));
        if (most > traits.maxWorkgroups) return 'more tiles than workgroups';
      }
      return undefined;
    },

    rank(problem, traits) {
      // Barriers and workgroup memory cost a software adapter more than they save.
      if (traits.kind === 'software') return 200;
      const products = productsOf(problem);
      const shapes = products.map((product) => kernel.shape(product, traits));
      return 20 / (1 + expectedSpeed(products, shapes));
    },

    build(problem, traits, epilogue = NO_EPILOGUE) {
      const products = productsOf(problem);
      const shapes = products.map((product) => kernel.shape(product, traits));
      const splits = splitsFor(products, shapes);
      const { elements } = at(products, 0);
      const { dtype } = at(problem.outputs, 0);
      return splitSum({ splits, elements, traits, dtype, epilogue }, (partial) =>
        products.map((product, i) => tileStep(kernel, product, at(shapes, i), { splits, ...partial })),
      );
    },
  }));
}
