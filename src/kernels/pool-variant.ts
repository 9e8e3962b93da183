import type { Binding, Variant } from '../engine/tensor.js';
import { flatStep } from './grid.js';
import { type PoolWindow, windowOf, windowsOver } from './pool-window.js';

/**
 * The walk that all poolings and their gradients share: one lane for each element of one side (four channels of a pixel
 * where they go in fours), which visits the pixels of the other side that belong to it, row by row.
 */
export interface PoolWalk {
  /** The inputs in order; the first one's type says whether channels go in fours. */
  readonly reads: readonly Operand[];
  /** The outputs in order. */
  readonly writes: readonly Operand[];
  /**
   * WGSL statements before the walk, in each row, at each pixel, and after it. `id` counts the lanes; `image`, `row`,
   * `column` and `channel` are its coordinates; rows [yFirst, yLast) and columns [xFirst, xLast) are visited, (`v`, `h`)
   * is the visited pixel and `there` its index.
   */
  readonly start: string;
  readonly row?: string;
  readonly pixel: string;
  readonly end: string;
}

type Operand = Pick<Binding, 'name' | 'type'>;

/**
 * @param side that has a lane an element. An output visits the pixels of its window; an input visits the windows that
 * cover it
 */
export function poolVariant<A extends PoolWindow>(
  side: 'output' | 'input',
  walkOf: (attributes: A) => PoolWalk,
): Variant<A> {
  const [name, range, other] =
    side === 'output'
      ? (['window', windowOf, 'input'] as const)
      : (['gather', windowsOver, 'output'] as const);
  return {
    name,
    unfit: () => undefined,
    rank: () => 1,
    build({ attributes }, traits) {
      const { batch, rows, columns, channels } = attributes;
      const { reads, writes, start, row = '', pixel, end } = walkOf(attributes);
      const units = channels / (reads[0]?.type === 'vec4f' ? 4 : 1);
      const step = flatStep(
        {
          count: batch * rows[side] * columns[side] * units,
          bindings: [
            ...reads.map(
              (array, index) => ({ ...array, operand: { kind: 'input', index }, access: 'read' }) as const,
            ),
            ...writes.map(
              (array, index) =>
                ({ ...array, operand: { kind: 'output', index }, access: 'read_write' }) as const,
            ),
          ],
          body: `let channel = id % ${units}u;
  let column = id / ${units}u % ${columns[side]}u;
  let row = id / ${units * columns[side]}u % ${rows[side]}u;
  let image = id / ${units * columns[side] * rows[side]}u;
  ${range(rows, 'y', 'row')}
  ${range(columns, 'x', 'column')}
  ${start}
  for (var v = yFirst; v < yLast; v++) {
    ${row}
    for (var h = xFirst; h < xLast; h++) {
      let there = ((image * ${rows[other]}u + v) * ${columns[other]}u + h) * ${units}u + channel;
      ${pixel}
    }
  }
  ${end}`,
        },
        traits,
      );
      return { scratch: [], steps: [step] };
    },
  };
}
