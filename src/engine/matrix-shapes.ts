import type { MatrixShape } from './graph/tensor.js';

/**
 * The small matrices of an adapter (`chromium-experimental-subgroup-matrix`), which no version of WebGPU's types knows yet.
 */

/** What an adapter's info says of them, where it was asked with experimental features. */
export interface MatrixInfo {
  readonly subgroupMinSize?: number;
  readonly subgroupMaxSize?: number;
  readonly subgroupMatrixConfigs?: Iterable<MatrixConfig>;
}

interface MatrixConfig {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly componentType: string;
  readonly resultComponentType: string;
}

/** The optional features that kernels with small matrices need. */
export const MATRIX_FEATURES = ['chromium-experimental-subgroup-matrix', 'subgroup-size-control'] as const;

/**
 * @param features of the device, or of the adapter
 * @returns the shapes that kernels can use, the largest first: of floats, where the size of subgroups can be relied on
 */
export function matrixShapes(
  features: { has(name: string): boolean },
  { subgroupMinSize = 0, subgroupMaxSize = 0, subgroupMatrixConfigs = [] }: MatrixInfo,
): MatrixShape[] {
  const [matrices, sizes] = MATRIX_FEATURES;
  const known = subgroupMinSize > 0 && (subgroupMinSize === subgroupMaxSize || features.has(sizes));
  if (!features.has(matrices) || !features.has('subgroups') || !known) return [];
  const shapes: MatrixShape[] = [];
  for (const { M, N, K, componentType, resultComponentType } of subgroupMatrixConfigs) {
    if (!isFloat(componentType) || !isFloat(resultComponentType)) continue;
    if (componentType === 'f16' && !features.has('shader-f16')) continue;
    const types = { operands: componentType, sums: resultComponentType };
    shapes.push({ m: M, n: N, k: K, ...types, subgroups: [subgroupMinSize, subgroupMaxSize] });
  }
  return shapes.sort((a, b) => b.m * b.n * b.k - a.m * a.n * a.k);
}

function isFloat(type: string): type is MatrixShape['operands'] {
  return type === 'f16' || type === 'f32';
}
