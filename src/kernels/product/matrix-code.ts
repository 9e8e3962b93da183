import type { MatrixShape } from '../../engine/graph/tensor.js';

/**
 * WGSL for small matrices that a whole subgroup holds and multiplies. Nothing else of the kernel knows how: so a test can
 * give another code that computes the same by ordinary loops on a device that has no such matrices.
 *
 * Operands lie in `staged`, workgroup memory of quads (matrix-staging.ts). Places and strides count quads.
 */
export interface MatrixCode {
  readonly enables: readonly string[];
  /** Attributes of the entry point. */
  readonly attributes: string;
  /** Parameters of the entry point beside workgroup_id and local_invocation_index (`index`). */
  readonly parameters: string;
  /** First lines of the entry point; they leave `subgroup` and `lane`, and sums of 0. */
  readonly begin: string;
  readonly declarations: string;
  /** Statements: adds the products of a slice to the sums. */
  readonly multiply: string;
  /** Statements: writes sums as f32 to the place `sums`, those of the turn `turn`. */
  readonly put: string;
}

/** The small matrices of one subgroup. */
export interface MatrixGrid {
  readonly matrix: MatrixShape;
  readonly down: number;
  readonly across: number;
  /** Matrices along k in a slice. */
  readonly steps: number;
  /** Quads from one row of an operand to the next. Rows begin at `leftPlace`, columns of the right one at `rightPlace`. */
  readonly pitch: number;
  /** How many of a row leave at a turn, the same way in all rows; and quads between two of their rows. */
  readonly together: number;
  readonly putPitch: number;
  /** Sums that a quad holds. */
  readonly quadFloats: number;
}

/** Dawn's extension, which a device has where it was opened with `chromium-experimental-subgroup-matrix`. */
export function subgroupMatrices(grid: MatrixGrid): MatrixCode {
  const { matrix, down, across, steps, pitch, together, putPitch, quadFloats } = grid;
  const { m, n, k, operands, sums, subgroups } = matrix;
  const [least, most] = subgroups;
  const pinned = least !== most;
  const downs = count(down);
  const acrosses = count(across);
  const load = (Type: string, order: string, place: string) =>
    `subgroupMatrixLoad<${Type}, ${order}>(&staged, ${place}, ${pitch}u)`;
  const left = (r: number, s: number) =>
    load('LeftMatrix', 'row_major', `leftPlace + ${r * m * pitch + (s * k) / 4}u`);
  const right = (c: number, s: number) =>
    load('RightMatrix', 'col_major', `rightPlace + ${c * n * pitch + (s * k) / 4}u`);
  const put = (turn: number) =>
    count(together).map((c) => {
      const i = turn * together + c;
      const place = `sums + ${(c * n) / quadFloats}u`;
      return `subgroupMatrixStore<row_major>(&staged, ${place}, s${Math.floor(i / across)}_${i % across}, ${putPitch}u);`;
    });
  const turns = count((down * across) / together);
  return {
    enables: [
      ...(operands === 'f16' ? ['f16'] : []),
      'subgroups',
      'chromium_experimental_subgroup_matrix',
      ...(pinned ? ['subgroup_size_control'] : []),
    ],
    // Places depend on the number of the subgroup, which is the same for all its lanes; WGSL's analysis can't know.
    attributes: `${pinned ? `@subgroup_size(${least}) ` : ''}@diagnostic(off, chromium.subgroup_matrix_uniformity)`,
    parameters: '@builtin(subgroup_id) subgroup: u32,\n  @builtin(subgroup_invocation_id) lane: u32,',
    begin: lines(downs, (r) => lines(acrosses, (c) => `  var s${r}_${c}: Sums;`)),
    declarations: `
alias LeftMatrix = subgroup_matrix_left<${operands}, ${k}, ${m}>;
alias RightMatrix = subgroup_matrix_right<${operands}, ${n}, ${k}>;
alias Sums = subgroup_matrix_result<${sums}, ${n}, ${m}>;`,
    multiply: lines(
      count(steps),
      (s) => `    {
${lines(downs, (r) => `      let a${r} = ${left(r, s)};`)}
${lines(acrosses, (c) => `      let b${c} = ${right(c, s)};`)}
${lines(downs, (r) =>
  lines(acrosses, (c) => `      s${r}_${c} = subgroupMatrixMultiplyAccumulate(a${r}, b${c}, s${r}_${c});`),
)}
    }`,
    ),
    put: `    switch (turn) {
${lines(turns, (turn) => `      ${turn === turns.length - 1 ? 'default' : `case ${turn}u`}: { ${put(turn).join(' ')} }`)}
    }`,
  };
}

function count(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function lines<T>(list: readonly T[], line: (item: T) => string): string {
  return list.map(line).join('\n');
}
