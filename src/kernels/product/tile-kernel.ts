import {
  at,
  type Binding,
  type DeviceTraits,
  type DType,
  type KernelStep,
  type MatrixShape,
  type Operand,
} from '../../engine/graph/tensor.js';
import type { Epilogue } from '../common/epilogue.js';
import { boundType, runTypes, type TileOperand } from './tile-operand.js';
import { storeCode, storeSumsCode, type TileProduct } from './tile-product.js';

/**
 * The common part of the kernels for matrix products on GPUs: a workgroup computes one tile of the result from slices of
 * the depth; large depths are split into shares where there would be too few workgroups otherwise (tile-plan.ts).
 */
export interface TileKernel {
  readonly name: string;
  /** See `Variant.family`. */
  readonly family?: string;
  /** Why it cannot compute a product on this device; undefined if it can. */
  unfit(product: TileProduct, traits: DeviceTraits): string | undefined;
  shape(traits: DeviceTraits): TileShape;
  /** Whether it can compute the column sums of a product's right operand beside the product. */
  sumsColumns?(product: TileProduct): boolean;
  /**
   * WGSL with the entry point, which begins with `openingCode`; calls the operands' functions and `store`, and `storeSums`
   * where the product has column sums.
   */
  code(product: TileProduct, shape: TileShape): string;
  /** The element type of an operand's binding and the WGSL around it, where the kernel reads no runs of four. */
  reading?(operand: TileOperand): { readonly type: string; readonly code: string };
}

export interface TileShape {
  /** Of the result that a workgroup computes. */
  readonly rows: number;
  readonly columns: number;
  /** Depth that is staged at a time. */
  readonly slice: number;
  /** Invocations of a workgroup. */
  readonly lanes: number;
  /** Workgroup memory. */
  readonly bytes: number;
  /** Invocations of a subgroup, where the kernel counts on them. */
  readonly subgroup?: number;
  /** Multiplications a cycle, in the inner loop of a busy processor, relative to the most that its f32 units can do. */
  readonly speed: number;
  readonly enables?: readonly string[];
  /** The inner loop is written out. A software adapter's compiler would take ten seconds for it, and a GPU's a tenth of one. */
  readonly unrolled?: boolean;
  /** The small matrices that its subgroups multiply, where they do. */
  readonly matrix?: MatrixShape;
}

/** The step that computes one product, or its partial sums. */
export function tileStep(
  kernel: TileKernel,
  product: TileProduct,
  shape: TileShape,
  { splits, target, dtype, epilogue }: { splits: number; target: Operand; dtype: DType; epilogue: Epilogue },
): KernelStep {
  const { parts, columns, left, right, scatter, columnSums = false } = product;
  const elements = product.elements + (columnSums ? columns : 0);
  // Partial sums lie behind the other partial results.
  const apart = columnSums && target.kind === 'output';
  const vector = columns % 4 === 0;
  const finish = epilogue.emit(vector);
  const binding = (name: string, operand: Operand, type: string): Binding => ({
    name,
    operand,
    access: operand.kind === 'input' ? 'read' : 'read_write',
    type,
  });
  const reading = (operand: TileOperand) =>
    kernel.reading?.(operand) ?? { type: boundType(operand), code: operand.code };
  const lefts = reading(left);
  const rights = reading(right);
  let tiles = 0;
  const sizes: Record<string, number> = {};
  for (const [i, { rows, depth, sizes: own }] of parts.entries()) {
    const share = shareOf(depth, splits, shape);
    const named = { firstTile: tiles, rows, depth, share, ...own };
    for (const [name, size] of Object.entries(named)) sizes[`${name}${i}`] = size;
    tiles += tilesOf(rows, shape.rows);
  }
  return {
    kind: 'dispatch',
    bindings: [
      binding('left', { kind: 'input', index: 0 }, lefts.type),
      binding('right', { kind: 'input', index: 1 }, rights.type),
      binding('result', target, boundType({ dtype, vector })),
      ...(apart
        ? [binding('columnSums', { kind: 'output', index: 1 }, boundType({ dtype: 'f32', vector }))]
        : []),
      ...finish.bindings,
    ],
    // Neighbouring workgroups share rows of the left operand, the larger one as a rule, while caches hold them.
    workgroups: [tilesOf(columns, shape.columns), tiles, splits],
    dims: { ...sizes, columns, elements, ...left.dims, ...right.dims, ...scatter },
    ...(shape.enables && { enables: shape.enables }),
    code: [
      runTypes(left, right),
      partCode(product),
      lefts.code,
      rights.code,
      finish.declarations,
      storeCode(product, dtype),
      ...(columnSums ? [storeSumsCode(product, apart)] : []),
      kernel.code(product, shape),
    ].join('\n'),
  };
}

/**
 * WGSL with which the entry point of a kernel begins, given `group`, the workgroup's number as a vec3u: `firstRow` and
 * `firstColumn` of its tile, `begin` and `end` of its share of the depth, and the variable `part`, from which functions
 * read the sizes of the part of the product that the tile lies in. WGSL takes the loop from `begin` to `end` for uniform.
 */
export function openingCode({ rows, columns }: Pick<TileShape, 'rows' | 'columns'>): string {
  return `let own = partOf(group.y);
  part = own;
  let firstRow = (group.y - own.firstTile) * ${rows}u;
  let firstColumn = group.x * ${columns}u;
  let begin = group.z * own.share;
  let end = min(begin + own.share, own.depth);`;
}

function partCode({ parts }: TileProduct): string {
  const names = ['firstTile', 'rows', 'depth', 'share', ...Object.keys(at(parts, 0).sizes)];
  const part = (i: number) => `return Part(${names.map((name) => `dims.${name}${i}`).join(', ')});`;
  const others = parts.map((_, i) => i).slice(1);
  return `/** Sizes that differ between the parts of a product. */
struct Part { ${names.map((name) => `${name}: u32`).join(', ')} }
var<private> part: Part;
/** The part with the row of tiles \`tile\`. */
fn partOf(tile: u32) -> Part {
${others
  .reverse()
  .map((i) => `  if (tile >= dims.firstTile${i}) { ${part(i)} }\n`)
  .join('')}  ${part(0)}
}`;
}

/** The depth of a share: a number of whole slices. */
export function shareOf(depth: number, splits: number, { slice }: TileShape): number {
  return Math.ceil(depth / splits / slice) * slice;
}

export function tilesOf(size: number, tile: number): number {
  return Math.ceil(size / tile);
}

/** Parts whose sizes fit the `dims` of a step. */
const MOST_PARTS = 7;

/** Why no tile can compute a product on this device, whatever the kernel; undefined if they can. */
export function unfitProduct(
  product: TileProduct,
  shape: TileShape,
  { maxWorkgroups }: Pick<DeviceTraits, 'maxWorkgroups'>,
): string | undefined {
  if (product.parts.length > MOST_PARTS)
    return 'has more residues modulo its strides than one dispatch takes';
  const most = Math.max(tileRowsOf(product, shape), tilesOf(product.columns, shape.columns));
  return most > maxWorkgroups ? 'more tiles than workgroups' : undefined;
}

/** Rows of tiles of all parts. */
export function tileRowsOf({ parts }: TileProduct, shape: TileShape): number {
  return parts.reduce((sum, { rows }) => sum + tilesOf(rows, shape.rows), 0);
}
