import { ShapeError } from '../../engine/errors.js';
import { applyOne, at, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { flatStep, streamStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';
import { storageType } from '../common/storage-type.js';
import { mergeEach } from '../reduce/merge-ranges.js';

/**
 * Rows of a table by number: token embeddings, or one token of each text. The gradient adds up the rows of equal numbers
 * in their order, so it has the same bits at every run.
 */

/** (table, ids) → the rows. */
export const lookupOp: Op<Record<string, never>> = {
  name: 'lookup',
  infer([table, ids]) {
    if (table?.dtype !== 'f32' || table.shape.length !== 2 || ids?.dtype !== 'u32') {
      throw new ShapeError(
        `lookup: needs a table [rows, width] f32 and ids u32, got ${table && describe(table)}, ${ids && describe(ids)}`,
      );
    }
    return [{ shape: [...ids.shape, at(table.shape, 1)], dtype: 'f32' }];
  },
  vjp({ inputs: [table, ids] }, [dy]) {
    if (!dy || !table || !ids) return [];
    return [applyOne(lookupSlopeOp, [dy, ids], { rows: at(table.shape, 0) }), undefined];
  },
  rows: (problem) => byFirstAxis(problem, [false, true]),
  halves: { inputs: [0], outputs: [0] },
  flops: () => 0,
  bytes: ({ outputs: [y] }) => 8 * elementCount(y?.shape ?? []),
  variants: [
    {
      name: 'rows',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [table, ids], outputs: [y] }, traits) {
        const [rows, width] = [at(table?.shape ?? [], 0), at(table?.shape ?? [], 1)];
        const unit = width % 4 === 0 ? 4 : 1;
        const texels = width / unit;
        const type = storageType({ dtype: y?.dtype ?? 'f32' }, unit);
        const step = streamStep(
          {
            count: elementCount(ids?.shape ?? []) * texels,
            bindings: [
              {
                name: 'rows',
                operand: { kind: 'input', index: 0 },
                access: 'read',
                type: storageType({ dtype: table?.dtype ?? 'f32' }, unit),
              },
              { name: 'ids', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
            ],
            // A number beyond the table would read whatever lies there; the last row is at least one of its own.
            each: `y[i] = ${type}(rows[min(ids[i / ${texels}u], ${rows - 1}u) * ${texels}u + i % ${texels}u]);`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

/**
 * (dy [..., width], ids) → the table's gradient [rows, width]: three dispatches. Zeros everywhere; for each place the next
 * one of the same number, and whether it is the first; then each first place walks its chain and adds up.
 */
const lookupSlopeOp: Op<{ readonly rows: number }> = {
  name: 'lookupSlope',
  infer: ([dy], { rows }) => [{ shape: [rows, at(dy?.shape ?? [], -1)], dtype: 'f32' }],
  rows(problem) {
    const cut = byFirstAxis(problem, [true, true]);
    return cut && { ...cut, merge: () => mergeEach(problem.outputs) };
  },
  halves: { inputs: [0], outputs: [] },
  flops: ({ inputs: [dy] }) => elementCount(dy?.shape ?? []),
  variants: [
    {
      name: 'chains',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [dy, ids], attributes: { rows } }, traits) {
        const places = elementCount(ids?.shape ?? []);
        const width = at(dy?.shape ?? [], -1);
        const unit = width % 4 === 0 ? 4 : 1;
        const texels = width / unit;
        const type = unit === 4 ? 'vec4f' : 'f32';
        const id = {
          name: 'ids',
          operand: { kind: 'input', index: 1 },
          access: 'read',
          type: 'u32',
        } as const;
        const chains = { name: 'chains', operand: { kind: 'scratch', index: 0 }, type: 'vec2u' } as const;
        const slope = {
          name: 'slope',
          operand: { kind: 'output', index: 0 },
          access: 'read_write',
          type,
        } as const;
        return {
          scratch: [{ kind: 'buffer', bytes: 8 * places }],
          steps: [
            streamStep({ count: rows * texels, bindings: [slope], each: `slope[i] = ${type}();` }, traits),
            flatStep(
              {
                count: places,
                bindings: [id, { ...chains, access: 'read_write' }],
                body: `let own = ids[id];
  var first = 1u;
  for (var j = 0u; j < id; j++) { if (ids[j] == own) { first = 0u; break; } }
  var next = id + 1u;
  while (next < ${places}u) { if (ids[next] == own) { break; } next++; }
  chains[id] = vec2u(first, next);`,
              },
              traits,
            ),
            flatStep(
              {
                count: places * texels,
                bindings: [
                  {
                    name: 'dy',
                    operand: { kind: 'input', index: 0 },
                    access: 'read',
                    type: storageType({ dtype: dy?.dtype ?? 'f32' }, unit),
                  },
                  id,
                  { ...chains, access: 'read' },
                  slope,
                ],
                body: `let place = id / ${texels}u;
  let e = id % ${texels}u;
  if (chains[place].x == 0u || ids[place] >= ${rows}u) { return; }
  var total = ${type}();
  for (var j = place; j < ${places}u; j = chains[j].y) { total += ${type}(dy[j * ${texels}u + e]); }
  slope[ids[place] * ${texels}u + e] = total;`,
              },
              traits,
            ),
          ],
        };
      },
    },
  ],
};

/**
 * The rows of a table with the given numbers, as PyTorch's `embedding`.
 * @param table [rows, width] @param ids u32, each below `rows` @returns [...ids, width]
 */
export function lookup(table: Tensor, ids: Tensor): Tensor {
  return applyOne(lookupOp, [table, ids], {});
}
