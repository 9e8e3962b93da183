import type { Binding, DeviceTraits, DType, KernelStep, Operand } from '../../engine/graph/tensor.js';
import type { Epilogue } from '../common/epilogue.js';
import { storeCode, type TileProduct } from './tile-product.js';

/**
 * The common part of the kernels for matrix products on GPUs: a workgroup computes one tile of the result from slices of
 * the depth; large depths are split into shares where there would be too few workgroups otherwise.
 */
export interface TileKernel {
  readonly name: string;
  /** Why it cannot compute a product on this device; undefined if it can. */
  unfit(product: TileProduct, traits: DeviceTraits): string | undefined;
  shape(product: TileProduct, traits: DeviceTraits): TileShape;
  /** WGSL with the entry point; calls the operands' functions and `store`. */
  code(product: TileProduct, shape: TileShape): string;
}

export interface TileShape {
  /** Of the result that a workgroup computes. */
  readonly rows: number;
  readonly columns: number;
  /** Depth that is staged at a time. */
  readonly slice: number;
  /** Invocations of a workgroup. */
  readonly lanes: number;
  /** Invocations of a subgroup, where the kernel counts on them. */
  readonly subgroup?: number;
  /** How fast a GPU full of such workgroups is expected to be, relative to the plain tile of 128×128. */
  readonly speed: number;
  readonly enables?: readonly string[];
}

/** Lanes that keep a large GPU busy, at the registers that these kernels take: 132 units of 512. */
const ENOUGH_LANES = 65536;

/** A share of the depth below this is dominated by writing and adding up its partial sums. */
const LEAST_SHARE = 256;

/** Shares of the depth for a result of several products: the deepest decides. */
export function splitsFor(products: readonly TileProduct[], shapes: readonly TileShape[]): number {
  const lanes = lanesOf(products, shapes);
  const depth = Math.max(...products.map((product) => product.depth));
  return Math.max(1, Math.min(Math.floor(ENOUGH_LANES / lanes), Math.floor(depth / LEAST_SHARE)));
}

/** Expected speed relative to a full GPU that computes nothing beyond the edges; more is better. */
export function expectedSpeed(
  products: readonly TileProduct[],
  shapes: readonly TileShape[],
  splits = splitsFor(products, shapes),
): number {
  const lanes = lanesOf(products, shapes) * splits;
  let useful = 0;
  let spent = 0;
  for (const [i, { rows, columns, depth }] of products.entries()) {
    const shape = shapes[i];
    if (!shape) continue;
    useful += rows * columns * depth;
    spent +=
      (tilesOf(rows, shape.rows) * shape.rows * tilesOf(columns, shape.columns) * shape.columns * depth) /
      shape.speed;
  }
  return (useful / Math.max(1, spent)) * Math.min(1, lanes / ENOUGH_LANES);
}

/** The step that computes one product, or its partial sums. */
export function tileStep(
  kernel: TileKernel,
  product: TileProduct,
  shape: TileShape,
  { splits, target, dtype, epilogue }: { splits: number; target: Operand; dtype: DType; epilogue: Epilogue },
): KernelStep {
  const { rows, columns, depth, left, right, scatter, elements } = product;
  const share = Math.ceil(depth / splits / shape.slice) * shape.slice;
  const vector = columns % 4 === 0;
  const finish = epilogue.emit(vector);
  const binding = (name: string, operand: Operand, type: DType, fours: boolean): Binding => ({
    name,
    operand,
    access: name === 'result' ? 'read_write' : 'read',
    type: fours ? (type === 'f16' ? 'vec4h' : 'vec4f') : type,
  });
  return {
    kind: 'dispatch',
    bindings: [
      binding('left', { kind: 'input', index: 0 }, left.dtype, left.vector),
      binding('right', { kind: 'input', index: 1 }, right.dtype, right.vector),
      binding('result', target, dtype, vector),
      ...finish.bindings,
    ],
    // Neighbouring workgroups share rows of the left operand, the larger one as a rule, while caches hold them.
    workgroups: [tilesOf(columns, shape.columns), tilesOf(rows, shape.rows), splits],
    dims: { rows, columns, depth, share, elements, ...left.dims, ...right.dims, ...scatter },
    ...(shape.enables && { enables: shape.enables }),
    code: `${left.code}\n${right.code}\n${finish.declarations}${storeCode(product, dtype)}\n${kernel.code(product, shape)}`,
  };
}

export function tilesOf(size: number, tile: number): number {
  return Math.ceil(size / tile);
}

function lanesOf(products: readonly TileProduct[], shapes: readonly TileShape[]): number {
  let lanes = 0;
  for (const [i, { rows, columns }] of products.entries()) {
    const shape = shapes[i];
    if (shape) lanes += tilesOf(rows, shape.rows) * tilesOf(columns, shape.columns) * shape.lanes;
  }
  return lanes;
}
