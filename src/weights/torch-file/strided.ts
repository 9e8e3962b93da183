import type { TorchTensor } from './pickle-values.js';

/** Views of a storage, and their elements row by row. */

interface Elements<T> {
  readonly length: number;
  [index: number]: T;
}

type View = Pick<TorchTensor, 'shape' | 'strides'>;

/** Whether a tensor's elements lie row by row already. Along an axis of one element no step is taken. */
export function isContiguous({ shape, strides }: View): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== step) return false;
    step *= size;
  }
  return true;
}

/**
 * @param from elements from the view's first to its last
 * @param to as many as the view has, at least one
 */
export function gather<T>({ shape, strides }: View, from: Elements<T>, to: Elements<T>): void {
  const rank = shape.length;
  const inner = shape[rank - 1] ?? 1;
  const step = strides[rank - 1] ?? 0;
  const index = new Array<number>(rank).fill(0);
  let begin = 0;
  for (let out = 0; out < to.length; out += inner) {
    for (let i = 0; i < inner; i++) to[out + i] = from[begin + i * step] as T;
    for (let axis = rank - 2; axis >= 0; axis--) {
      const size = shape[axis] ?? 1;
      const stride = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      begin += stride;
      index[axis] = next;
      if (next < size) break;
      begin -= size * stride;
      index[axis] = 0;
    }
  }
}
