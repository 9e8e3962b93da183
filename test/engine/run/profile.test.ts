import { expect, test } from 'vitest';
import { compile } from '../../../src/engine/compile.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Profiler } from '../../../src/engine/run/profile.js';
import { exp } from '../../../src/kernels/pointwise/pointwise-table.js';
import { testDevice } from '../../device.js';

const device = await testDevice();

test.skipIf(!Profiler.supported(device))(
  'a program of more dispatches than a query set holds is timed, each op in its own row',
  async () => {
    const graph = new Graph();
    const x = graph.input('x', [4]);
    const outputs = Array.from({ length: 2100 }, () => exp(x));
    const program = await compile(device, { graph, outputs });
    const times = await program.profile({ x: Float32Array.of(0, 0, 0, 0) });
    expect(times).toHaveLength(2100);
    // a time that no query wrote would be 0, and so would all after it
    expect(times.slice(2048).some(({ ms }) => ms > 0)).toBe(true);
    expect(await program.read(outputs[2099]!)).toEqual(Float32Array.of(1, 1, 1, 1));
    program.destroy();
  },
);
