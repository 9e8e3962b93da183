import type { Binding, Problem, Variant } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { type PoolAxis, type PoolWindow, windowOf, windowsOver } from './pool-window.js';

/**
 * The walk that all poolings and their gradients share. A lane has a run of neighbouring columns in a row of one side
 * (four channels of each where they go in fours) and visits the pixels of the other side that belong to them, row by
 * row. Each pixel is loaded once for all columns of the run that it belongs to. These columns are known when the
 * kernel is written, so that no lane works them out.
 */
export interface PoolWalk {
  /** Channels that go together. */
  readonly width: 1 | 4;
  /** The inputs in order. */
  readonly reads: readonly Operand[];
  /** The outputs in order. */
  readonly writes: readonly Operand[];
  /** Declares the state of the lane's column number `k`, which is column `column` of its row. */
  start(k: number, column: string): string;
  /** WGSL statements at each visited row `v`, while the lane is in row `row`. */
  readonly row?: string;
  /** Statements at each visited pixel: load the value at index `there`, in column `h` of the other side. */
  readonly load: string;
  /** Statements that put the loaded pixel into the state of column `k`; it is in column `offset` of the window. */
  pixel(k: number, offset: number): string;
  /** Statements that write column `k`, which is column `column` of its row, to index `here`. */
  end(k: number): string;
}

type Operand = Pick<Binding, 'name' | 'type'>;

/**
 * @param side the one whose columns the lanes own. An output visits the pixels of its window; an input visits the windows that
 * cover it
 *
 * Sample (2×2 maximum pooling of [1, 4, 4, 4]):
 *
 *     for (var v = yFirst; v < yLast; v++) {
 *       let line = (v + 0u - row * 2u) * 2u;
 *       let line_ = (image * 4u + v) * 4u + channel;
 *       …
 *         let padded = run * 8u + 4u;
 *         if (padded < 4u) {
 *           let h = padded - 0u;
 *           let there = line_ + h * 1u;
 *           let value = vec4f(x[there]);
 *           { let larger = value > best2;
 *           best2 = select(best2, value, larger);
 *           found2 = select(found2, vec4u(line + 0u), larger); }
 *         }
 */
export function poolVariant<A extends PoolWindow>(
  side: 'output' | 'input',
  walkOf: (problem: Problem<A>) => PoolWalk,
): Variant<A> {
  const [name, range, other] =
    side === 'output'
      ? (['window', windowOf, 'input'] as const)
      : (['gather', windowsOver, 'output'] as const);
  return {
    name,
    unfit: () => undefined,
    rank: () => 1,
    build(problem, traits) {
      const { batch, rows, columns, channels } = problem.attributes;
      const walk = walkOf(problem);
      const vectors = channels / walk.width;
      const { own, visited, runs, pairs } = columnRuns(columns, side, traits.kind === 'software' ? 4 : 1);
      const visits = indices(visited.count).map(
        (w) => `{
      let padded = run * ${visited.advance}u + ${w}u;
      ${guarded(visited, w, runs)}{
        let h = padded - ${visited.shift}u;
        let there = line_ + h * ${vectors}u;
        ${walk.load}
        ${pairs
          .filter((pair) => pair.visited === w)
          .map(({ own: k, offset }) => walk.pixel(k, offset))
          .join('\n        ')}
      }
    }`,
      );
      const ends = indices(own.count).map(
        (k) => `{
    let padded = run * ${own.advance}u + ${k}u;
    ${guarded(own, k, runs)}{
      let column = padded - ${own.shift}u;
      let here = ((image * ${rows[side]}u + row) * ${columns[side]}u + column) * ${vectors}u + channel;
      ${walk.end(k)}
    }
  }`,
      );
      const step = flatStep(
        {
          count: batch * rows[side] * runs * vectors,
          bindings: [
            ...walk.reads.map(
              (array, index) => ({ ...array, operand: { kind: 'input', index }, access: 'read' }) as const,
            ),
            ...walk.writes.map(
              (array, index) =>
                ({ ...array, operand: { kind: 'output', index }, access: 'read_write' }) as const,
            ),
          ],
          body: `let channel = id % ${vectors}u;
  let run = id / ${vectors}u % ${runs}u;
  let row = id / ${vectors * runs}u % ${rows[side]}u;
  let image = id / ${vectors * runs * rows[side]}u;
  ${range(rows, 'y', 'row')}
  ${indices(own.count)
    .map((k) => walk.start(k, `(run * ${own.advance}u + ${k}u - ${own.shift}u)`))
    .join(' ')}
  for (var v = yFirst; v < yLast; v++) {
    ${walk.row ?? ''}
    let line_ = (image * ${rows[other]}u + v) * ${columns[other] * vectors}u + channel;
    ${visits.join('\n    ')}
  }
  ${ends.join('\n  ')}`,
        },
        traits,
      );
      return { scratch: [], steps: [step] };
    },
  };
}

/** Columns of one side: number k of run r is column r·advance + k − shift, and exists if that lies in [0, size). */
interface RunColumns {
  readonly count: number;
  readonly advance: number;
  readonly shift: number;
  readonly size: number;
}

interface ColumnRuns {
  readonly runs: number;
  readonly own: RunColumns;
  readonly visited: RunColumns;
  /** Which visited column belongs to which own one, and where in the window. */
  readonly pairs: readonly { readonly own: number; readonly visited: number; readonly offset: number }[];
}

/** Columns that a lane may load in one row: beyond that, registers run out. */
const MOST_VISITED = 12;
const MOST_OWN = 8;

/** @param longest run of windows */
function columnRuns(axis: PoolAxis, side: 'output' | 'input', longest: number): ColumnRuns {
  const { input, output, kernel, stride, padding } = axis;
  // Windows to the left of a pixel's own stride that still cover it.
  const reach = Math.floor((kernel - 1) / stride);
  const pixels = (windows: number) => (windows - 1) * stride + kernel;
  const fits = (windows: number) =>
    side === 'output' ? pixels(windows) <= MOST_VISITED : windows * stride <= MOST_OWN;
  const windows = [4, 2].find((count) => count <= longest && fits(count)) ?? 1;
  const advance = windows * stride;
  if (side === 'output') {
    const own = { count: windows, advance: windows, shift: 0, size: output };
    const visited = { count: pixels(windows), advance, shift: padding, size: input };
    return {
      runs: Math.ceil(output / windows),
      own,
      visited,
      pairs: coveredPairs(visited.count, windows, 0, axis).map(({ pixel, window, offset }) => ({
        own: window,
        visited: pixel,
        offset,
      })),
    };
  }
  const own = { count: advance, advance, shift: padding, size: input };
  const visited = { count: windows + reach, advance: windows, shift: reach, size: output };
  return {
    runs: Math.ceil(Math.ceil((input + padding) / stride) / windows),
    own,
    visited,
    pairs: coveredPairs(own.count, visited.count, reach, axis).map(({ pixel, window, offset }) => ({
      own: pixel,
      visited: window,
      offset,
    })),
  };
}

/** Pixels and windows that meet; window number `shift` begins at pixel 0. */
function coveredPairs(pixels: number, windows: number, shift: number, { kernel, stride }: PoolAxis) {
  return indices(windows).flatMap((window) =>
    indices(pixels)
      .map((pixel) => ({ pixel, window, offset: pixel - (window - shift) * stride }))
      .filter(({ offset }) => offset >= 0 && offset < kernel),
  );
}

/** `if (…) ` around column `k`, as far as any of the runs needs it. */
function guarded({ advance, shift, size }: RunColumns, k: number, runs: number): string {
  const checks = [
    ...(k < shift ? [`padded >= ${shift}u`] : []),
    ...((runs - 1) * advance + k >= size + shift ? [`padded < ${size + shift}u`] : []),
  ];
  return checks.length > 0 ? `if (${checks.join(' && ')}) ` : '';
}

function indices(count: number): number[] {
  return Array.from({ length: count }, (_, k) => k);
}
