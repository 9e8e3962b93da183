import { describe, expect, test } from 'vitest';
import { Arena, ArenaLayout } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { follow } from '../../../src/kernels/optimizer/follow.js';
import { testDevice } from '../../device.js';
import { expectClose } from '../check-op.js';

const normals = (random: Random, length: number) => Float32Array.from({ length }, () => random.normal());

describe('follow', () => {
  test.each([
    [3, undefined],
    [64, 1],
    [1_030, -1],
  ])('of %i elements, gate %s', async (length, gate) => {
    const device = await testDevice();
    const layout = new ArenaLayout([{ name: 'mean', shape: [length], dtype: 'f32' }], 1e6);
    const running = await Arena.create(device, 'running', layout);
    const random = new Random(6, length);
    const [start, source] = [normals(random, length), normals(random, length)];
    running.write('mean', start);
    const graph = new Graph();
    const observed = graph.input('observed', [length]);
    const weight = graph.input('weight', [1]);
    const target = graph.variable('running', 'mean', [length]);
    follow(target, observed, weight, gate === undefined ? undefined : graph.input('gate', [1]));
    const program = await compile(device, { graph, arenas: { running } });
    program.run({
      observed: source,
      weight: Float32Array.of(0.25),
      ...(gate === undefined ? {} : { gate: Float32Array.of(gate) }),
    });
    const after = await running.read('mean');
    program.destroy();
    running.destroy();
    if (gate === -1) expect(after).toEqual(start);
    else
      expectClose(
        after,
        start.map((value, i) => 0.75 * value + 0.25 * source[i]!),
        1e-6,
      );
  });

  test('refuses a computed target and operands of different sizes', () => {
    const graph = new Graph();
    const source = graph.input('x', [8]);
    const target = graph.variable('running', 'mean', [8]);
    expect(() => follow(source, source, 0.5)).toThrow(/updated in place/);
    expect(() => follow(target, graph.input('y', [9]), 0.5)).toThrow(ShapeError);
    expect(() => follow(target, source, source)).toThrow(/single weight/);
    expect(() => follow(target, source, 0.5, source)).toThrow(/gate/);
  });
});
