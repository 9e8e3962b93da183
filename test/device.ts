import type { Preference } from '../src/engine/choose/choose.js';
import { compile } from '../src/engine/compile.js';
import type { Device } from '../src/engine/device.js';
import type { NarrowOptions } from '../src/engine/graph/narrow.js';
import { Graph, type Shape, type Tensor } from '../src/engine/graph/tensor.js';
import type { PlanRow } from '../src/engine/run/build.js';
import { openDevice } from '../src/platform/node/open-device.js';

let opened: Promise<Device> | undefined;

/** One device for a whole test file; TAILRAY_ADAPTER chooses which. */
export function testDevice(): Promise<Device> {
  opened ??= openDevice();
  return opened;
}

/** A device that claims to bind no more than so many bytes: what is larger is computed in rows. */
export async function narrowDevice(maxBindingBytes: number): Promise<Device> {
  const device = await openDevice();
  device.assume({ maxBindingBytes });
  return device;
}

export interface Operand {
  readonly shape: Shape;
  readonly values: Float32Array | Uint32Array;
}

/** Traces `build` over inputs with these values, runs it once and returns the values of the tensors it gives. */
export async function evaluate(
  operands: readonly Operand[],
  build: (inputs: Tensor[], graph: Graph) => readonly Tensor[],
  preference: Preference = {},
  halves?: NarrowOptions,
): Promise<Float32Array[]> {
  const device = await testDevice();
  const graph = new Graph();
  const inputs = operands.map(({ shape, values }, i) =>
    graph.input(`x${i}`, shape, values instanceof Uint32Array ? 'u32' : 'f32'),
  );
  const outputs = build(inputs, graph);
  const program = await compile(device, { graph, outputs, preference, ...(halves && { halves }) });
  program.run(Object.fromEntries(operands.map(({ values }, i) => [`x${i}`, values])));
  const results: Float32Array[] = [];
  for (const output of outputs) results.push(await program.read(output));
  program.destroy();
  return results;
}

/** The plan rows of a graph's program, in the order in which they run. */
export async function planRows(build: (graph: Graph) => readonly Tensor[]): Promise<readonly PlanRow[]> {
  const device = await testDevice();
  const graph = new Graph();
  const outputs = build(graph);
  const program = await compile(device, { graph, outputs });
  program.destroy();
  return program.rows;
}
