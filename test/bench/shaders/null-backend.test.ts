import { describe, expect, it } from 'vitest';
import { refusalOf } from '../../null-backend.js';

const product = (type: string) => `
enable f16;
enable chromium_experimental_subgroup_matrix;
@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@compute @workgroup_size(128) fn main() {
  let left = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&a, 0u, 16u);
  let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, row_major>(&a, 256u, 16u);
  var sum: subgroup_matrix_result<${type}, 16, 16>;
  sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
  subgroupMatrixStore<row_major>(&c, 0u, sum, 16u);
}`;

describe("Dawn's null backend", () => {
  it('takes a product of subgroup matrices, and refuses one whose types do not fit', async () => {
    expect(await refusalOf(product('f32'))).toBeUndefined();
    expect(await refusalOf(product('u32'))).toMatch(/u32/);
  });
});
