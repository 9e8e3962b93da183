import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { Arena, ArenaLayout } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import type { ExamineOptions } from '../../../src/engine/run/examine.js';
import { store } from '../../../src/engine/store.js';
import { addInto } from '../../../src/kernels/optimizer/add-into.js';
import { add, div, exp, mul, sqrt } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';
import { testDevice } from '../../device.js';

const device = await testDevice();
const SHAPE = [3, 200] as const;
const layout = new ArenaLayout(
  ['w', 'total'].map((name) => ({ name, shape: SHAPE, dtype: 'f32' as const })),
  2 ** 20,
);
const arena = await Arena.create(device, 'params', layout);
afterAll(() => arena.destroy());

const filled = (value: number, planted: Record<number, number> = {}) =>
  Float32Array.from({ length: 600 }, (_, i) => planted[i] ?? value);

beforeEach(() => {
  arena.write('w', filled(1));
  arena.write('total', filled(0));
});

async function examined(
  trace: (graph: Graph, x: Tensor, w: Tensor) => Tensor[],
  x: Float32Array,
  options?: ExamineOptions,
) {
  const graph = new Graph();
  const outputs = trace(graph, graph.input('x', SHAPE), graph.variable('params', 'w', SHAPE));
  const program = await compile(device, { graph, outputs, arenas: { params: arena } });
  try {
    return await program.examine({ x }, options);
  } finally {
    program.destroy();
  }
}

describe('an examined run', () => {
  /** Two ops that overflow one after the other, so that the second is no origin. */
  const chain = (graph: Graph, x: Tensor, w: Tensor) => {
    const grown = graph.scope('first', () => sum(exp(mul(x, w)), [1]));
    return [graph.scope('second', () => sum(sqrt(grown)))];
  };

  test('finds nothing where all is finite', async () => {
    expect(await examined(chain, filled(1))).toBeNull();
  });

  test('names the first op whose output is not, with its scope and what it reads', async () => {
    const found = await examined(chain, filled(1, { 250: 1000 }));
    expect(found).toMatchObject({ nan: 0, infinite: 1, first: 1 });
    expect(found?.place).toMatchObject({
      kind: 'op',
      label: expect.stringMatching(/^first\./),
      reads: ['w'],
    });
  });

  test('names the input, and the variable, behind a reshape too, before the op that reads them', async () => {
    const flat = (_: Graph, x: Tensor, w: Tensor) => [sum(mul(reshape(x, [600]), reshape(w, [600])))];
    expect(await examined(flat, filled(1, { 7: Number.NaN, 9: Number.NEGATIVE_INFINITY }))).toMatchObject({
      place: { kind: 'input', name: 'x' },
      nan: 1,
      infinite: 1,
      first: 7,
    });
    arena.write('w', filled(1, { 599: Number.POSITIVE_INFINITY }));
    expect(await examined(flat, filled(1))).toMatchObject({
      place: { kind: 'variable', arena: 'params', name: 'w' },
      tensor: { shape: SHAPE },
      nan: 0,
      infinite: 1,
      first: 599,
    });
  });

  test('names the variable that an op changed in place', async () => {
    const adding = (graph: Graph, x: Tensor) => {
      addInto(div(x, x), graph.variable('params', 'total', SHAPE));
      return [sum(x)];
    };
    arena.write('total', filled(3.4e38));
    expect(await examined(adding, filled(1))).toBeNull();
    // it runs as any run does
    expect((await arena.read('total'))[0]).toBeCloseTo(3.4e38, -32);
    const huge = (graph: Graph, x: Tensor) => {
      addInto(mul(x, x), graph.variable('params', 'total', SHAPE));
      return [sum(x)];
    };
    arena.write('total', filled(3.4e38));
    expect(await examined(huge, filled(0, { 3: 1.8e19 }))).toMatchObject({
      place: { kind: 'op', variable: { arena: 'params', name: 'total' } },
      infinite: 1,
      first: 3,
    });
  });

  test('takes NaN for what it stands for, in an input and in what is computed from inputs alone', async () => {
    const unknowns = { unknowns: ['x'] };
    const mixed = (graph: Graph, x: Tensor, w: Tensor) => {
      const prepared = graph.scope('mixed', () => sum(add(x, x), [0]));
      return [prepared, sum(w)];
    };
    const x = filled(1, { 5: Number.NaN });
    expect(await examined(mixed, x, unknowns)).toBeNull();
    expect(await examined(mixed, x)).toMatchObject({ place: { kind: 'input' } });
    expect(await examined(mixed, filled(1, { 5: Number.POSITIVE_INFINITY }), unknowns)).toMatchObject({
      place: { kind: 'input' },
    });
    const trained = (graph: Graph, x: Tensor, w: Tensor) => [graph.scope('net', () => sum(mul(x, w)))];
    expect(await examined(trained, x, unknowns)).toMatchObject({ place: { label: 'net.reduce' } });
  });

  test('counts values of variables that were stored by an op', async () => {
    const storing = (graph: Graph, x: Tensor) => {
      store(exp(x), graph.variable('params', 'total', SHAPE));
      return [sum(x)];
    };
    expect(await examined(storing, filled(1, { 100: 1000 }))).toMatchObject({
      place: { kind: 'op' },
      infinite: 1,
      first: 100,
    });
  });
});
