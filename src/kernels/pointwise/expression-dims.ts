import { elementCount, type Shape, type TensorSpec } from '../../engine/graph/tensor.js';

/** Broadcasting as strides: how the operands of an element-wise expression lie under its result. */

/** A dimension of the collapsed result, with the stride of each operand along it (0: the operand broadcasts). */
export interface Dim {
  size: number;
  strides: number[];
}

/** The fewest dimensions in which every operand is either dense or broadcast along each. */
export function collapse(inputs: readonly TensorSpec[], shape: Shape): Dim[] {
  const rank = shape.length;
  const dims: Dim[] = [];
  for (let d = 0; d < rank; d++) {
    const size = shape[d] ?? 1;
    if (size === 1) continue;
    const strides = inputs.map((input) => {
      const inner = input.shape.length - rank + d;
      if (inner < 0 || input.shape[inner] === 1) return 0;
      return elementCount(input.shape.slice(inner + 1));
    });
    const outer = dims.at(-1);
    if (outer?.strides.every((stride, k) => stride === (strides[k] ?? 0) * size)) {
      outer.size *= size;
      outer.strides = strides;
    } else {
      dims.push({ size, strides });
    }
  }
  return dims.length > 0 ? dims : [{ size: 1, strides: inputs.map(() => 0) }];
}

export function isScalar(dims: readonly Dim[], k: number): boolean {
  return dims.every(({ strides }) => strides[k] === 0);
}

export function isDense(dims: readonly Dim[], k: number): boolean {
  let stride = 1;
  return dims.toReversed().every((dim) => {
    const fits = dim.strides[k] === stride;
    stride *= dim.size;
    return fits;
  });
}

/** WGSL index of operand `k`, in units of `width` elements. */
export function offset(dims: readonly Dim[], k: number, width: number): string {
  if (isScalar(dims, k)) return '0u';
  if (isDense(dims, k)) return 'i';
  const terms = dims.flatMap(({ strides }, d) => {
    const stride = strides[k] ?? 0;
    if (stride === 0) return [];
    const last = d === dims.length - 1;
    const units = last ? 1 : stride / width;
    return [units === 1 ? `c${d}` : `c${d} * ${units}u`];
  });
  return terms.join(' + ');
}

/** WGSL statements that split `index` into the coordinates `c0`, `c1`… of a box of these sizes. */
export function unravelIndex(sizes: readonly number[], index: string): string {
  if (sizes.length === 1) return `let c0 = ${index};`;
  const lines = [`var rest = ${index};`];
  for (let d = sizes.length - 1; d > 0; d--) {
    lines.push(`let c${d} = rest % ${sizes[d]}u; rest = rest / ${sizes[d]}u;`);
  }
  return [...lines, 'let c0 = rest;'].join(' ');
}
