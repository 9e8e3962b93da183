import { ShapeError } from '../../engine/errors.js';
import type { Shape } from '../../engine/graph/tensor.js';

/** NumPy's broadcasting of shapes: aligned at the last axis, sizes equal or 1. Throws `ShapeError`. */
export function broadcastShape(op: string, shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, d) => {
    let size = 1;
    for (const shape of shapes) {
      const own = shape[shape.length - rank + d] ?? 1;
      if (own !== 1 && size !== 1 && own !== size) {
        throw new ShapeError(`${op}: shapes ${shapes.map((s) => `[${s}]`).join(' and ')} do not broadcast`);
      }
      if (own !== 1) size = own;
    }
    return size;
  });
}
