import { type FinishingVariant, NO_EPILOGUE } from '../common/epilogue.js';
import { storageTypeOf } from '../common/storage-type.js';
import type { BmmGeometry } from './bmm-geometry.js';

/** Batched products straight from the definition, a lane an element. The tiles are compared with them. */
export const direct: FinishingVariant<BmmGeometry> = {
  name: 'direct',
  finishes: true,
  unfit: () => undefined,
  rank: () => 100,
  build({ inputs, outputs, attributes: g }, { maxWorkgroups }, epilogue = NO_EPILOGUE) {
    const lanes = g.batch * g.m * g.n;
    const groups = Math.ceil(lanes / 64);
    const gridX = Math.min(groups, maxWorkgroups);
    const finish = epilogue.emit(false);
    const type = storageTypeOf(outputs, 0, 1);
    const { batch: _batch, m, k, n, transposeA, transposeB } = g;
    return {
      scratch: [],
      steps: [
        {
          kind: 'dispatch',
          bindings: [
            {
              name: 'a',
              operand: { kind: 'input', index: 0 },
              access: 'read',
              type: storageTypeOf(inputs, 0, 1),
            },
            {
              name: 'b',
              operand: { kind: 'input', index: 1 },
              access: 'read',
              type: storageTypeOf(inputs, 1, 1),
            },
            ...finish.bindings,
            { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
          ],
          workgroups: [gridX, Math.ceil(groups / gridX), 1],
          dims: { m, k, n, lanes, gridX },
          code: `${finish.declarations}
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = (workgroup.y * dims.gridX + workgroup.x) * 64u + lane;
  if (id >= dims.lanes) { return; }
  let column = id % dims.n;
  let row = id / dims.n % dims.m;
  let number = id / (dims.n * dims.m);
  var total = 0.0;
  for (var k = 0u; k < dims.k; k++) {
    let left = ${transposeA ? '(number * dims.k + k) * dims.m + row' : '(number * dims.m + row) * dims.k + k'};
    let right = ${transposeB ? '(number * dims.n + column) * dims.k + k' : '(number * dims.k + k) * dims.n + column'};
    total += f32(a[left]) * f32(b[right]);
  }
  y[id] = ${type}(finish(total, id, columnOperands(column)));
}`,
        },
      ],
    };
  },
};
