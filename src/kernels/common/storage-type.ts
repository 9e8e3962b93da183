import { at, type TensorSpec } from '../../engine/graph/tensor.js';

/**
 * How a kernel binds a tensor of floats, which may be stored as f16 (engine/graph/narrow.ts). Kernels compute in f32 all
 * the same: they load with `f32(x[i])` or `vec4f(x[i])` and store with this type's constructor. Both do nothing where
 * the tensor is stored as f32.
 */
export type StorageType = 'f32' | 'vec4f' | 'f16' | 'vec4h';

/** @param width elements that are read or written at a time */
export function storageType({ dtype }: Pick<TensorSpec, 'dtype'>, width: 1 | 4): StorageType {
  if (dtype === 'f16') return width === 4 ? 'vec4h' : 'f16';
  return width === 4 ? 'vec4f' : 'f32';
}

/** The same of operand number `index`. */
export function storageTypeOf(specs: readonly TensorSpec[], index: number, width: 1 | 4): StorageType {
  return storageType(at(specs, index), width);
}
