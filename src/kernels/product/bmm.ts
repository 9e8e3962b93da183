import { ShapeError } from '../../engine/errors.js';
import { share } from '../../engine/graph/rows.js';
import {
  applyOne,
  at,
  type DeviceTraits,
  describe,
  type Op,
  type Problem,
  type Shape,
  sameShape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { type FinishingVariant, NO_EPILOGUE } from '../common/epilogue.js';
import { finishable } from '../common/finishable.js';
import { byFirstAxis } from '../common/rows.js';
import { direct } from './bmm-direct.js';
import type { BmmGeometry } from './bmm-geometry.js';
import { tileFamily } from './tile-family.js';
import { type TileKernel, tileStep, tilesOf } from './tile-kernel.js';
import { matrixTiles } from './tile-matrix.js';
import { matrixOperand } from './tile-operand.js';
import { planTiles, rankOf } from './tile-plan.js';
import type { TileProduct } from './tile-product.js';
import { tileRegisters } from './tile-registers.js';
import { tileSubgroup } from './tile-subgroup.js';

/**
 * The kernels are those of a single product (tile-kernel.ts): the batch is one product that is as deep as all of them
 * together, cut into a share for each, and the "partial sums" are never added up. On a GPU the best tile is chosen as
 * for a convolution; a software adapter takes the one without workgroup memory.
 */
const KERNELS: readonly TileKernel[] = [tileRegisters, ...tileFamily, ...matrixTiles, tileSubgroup];

export const bmmOp: Op<BmmGeometry> = finishable({
  name: 'bmm',
  infer([a, b], g) {
    for (const [operand, shape] of [[a, aShape(g)] as const, [b, bShape(g)] as const]) {
      if (operand?.dtype !== 'f32' || !sameShape(operand.shape, shape)) {
        throw new ShapeError(`bmm: an operand is ${operand && describe(operand)}, expected [${shape}] f32`);
      }
    }
    return [{ shape: [g.batch, g.m, g.n], dtype: 'f32' }];
  },
  vjp({ inputs: [a, b], attributes: { transposeA, transposeB } }, [dy]) {
    if (!dy || !a || !b) return [];
    // With A = op(a), B = op(b): dA = dy·Bᵀ and dB = Aᵀ·dy, and the transposes of those where a or b is stored transposed.
    return [
      transposeA
        ? bmm(b, dy, { transposeA: transposeB, transposeB: true })
        : bmm(dy, b, { transposeB: !transposeB }),
      transposeB
        ? bmm(dy, a, { transposeA: true, transposeB: transposeA })
        : bmm(a, dy, { transposeA: !transposeA }),
    ];
  },
  rows(problem) {
    const { attributes } = problem;
    return byFirstAxis(problem, [true, true], (range) => ({
      ...attributes,
      batch: share(attributes.batch, range),
    }));
  },
  halves: { inputs: 'all', outputs: 'all' },
  flops: ({ attributes: { batch, m, k, n } }) => 2 * batch * m * k * n,
  variants: [...KERNELS.map(tiled), direct],
});

/**
 * A product of matrices for each of a batch, as PyTorch's `bmm`, either transposed on the way in.
 * @param a [batch, m, k], or [batch, k, m] with `transposeA` @param b [batch, k, n], or [batch, n, k] with `transposeB`
 * @returns [batch, m, n]
 * @throws ShapeError where the operands do not chain
 */
export function bmm(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  if (a.shape.length !== 3 || b.shape.length !== 3) {
    throw new ShapeError(`bmm needs two batches of matrices, got ${describe(a)} and ${describe(b)}`);
  }
  const [batch, a1, a2] = a.shape as [number, number, number];
  const [batchB, b1, b2] = b.shape as [number, number, number];
  const [m, k] = transposeA ? [a2, a1] : [a1, a2];
  const [kB, n] = transposeB ? [b2, b1] : [b1, b2];
  if (batch !== batchB || k !== kB) {
    throw new ShapeError(
      `bmm: ${describe(a)}${transposeA ? 'ᵀ' : ''} and ${describe(b)}${transposeB ? 'ᵀ' : ''} do not chain`,
    );
  }
  return applyOne(bmmOp, [a, b], { batch, m, k, n, transposeA, transposeB });
}

function aShape({ batch, m, k, transposeA }: BmmGeometry): Shape {
  return transposeA ? [batch, k, m] : [batch, m, k];
}

function bShape({ batch, k, n, transposeB }: BmmGeometry): Shape {
  return transposeB ? [batch, n, k] : [batch, k, n];
}

/** @param slice of the tile: each product's share of the depth is a multiple of it */
function productOf({ inputs, attributes }: Problem<BmmGeometry>, slice: number): TileProduct {
  const { batch, m, k, n, transposeA, transposeB } = attributes;
  const operand = (name: 'left' | 'right', outers: number, along: boolean) =>
    matrixOperand(name, {
      dtype: at(inputs, name === 'left' ? 0 : 1).dtype,
      outers,
      depth: k,
      along,
      slice,
      batch: true,
    });
  return {
    parts: [{ rows: m, depth: batch * Math.ceil(k / slice) * slice, sizes: {} }],
    columns: n,
    left: operand('left', m, !transposeA),
    right: operand('right', n, transposeB),
    scatter: undefined,
    elements: m * n,
  };
}

/** The variant that computes with this kernel. */
export function tiled(kernel: TileKernel): FinishingVariant<BmmGeometry> {
  const tilesFor = (problem: Problem<BmmGeometry>, traits: DeviceTraits) => {
    const shape = kernel.shape(traits);
    return { shape, product: productOf(problem, shape.slice) };
  };
  return {
    name: kernel.name,
    ...(kernel.family && { family: kernel.family }),
    finishes: true,

    unfit(problem, traits) {
      const { batch, m, n } = problem.attributes;
      const reason = kernel.unfit(productOf(problem, 1), traits);
      if (reason !== undefined) return reason;
      const { rows, columns } = kernel.shape(traits);
      const most = Math.max(batch, tilesOf(m, rows), tilesOf(n, columns));
      return most > traits.maxWorkgroups ? 'more products or tiles than workgroups' : undefined;
    },

    rank(problem, traits) {
      const { shape, product } = tilesFor(problem, traits);
      if (traits.kind === 'software') {
        return kernel === tileRegisters ? 1 : 200 + shape.rows * shape.columns * shape.slice;
      }
      return rankOf(planTiles(product, shape, traits, problem.attributes.batch));
    },

    build(problem, traits, epilogue = NO_EPILOGUE) {
      const { shape, product } = tilesFor(problem, traits);
      const { dtype } = at(problem.outputs, 0);
      const target = { kind: 'output', index: 0 } as const;
      const options = { splits: problem.attributes.batch, target, dtype, epilogue };
      return { scratch: [], steps: [tileStep(kernel, product, shape, options)] };
    },
  };
}
