import { compile } from '#src/engine/compile.js';
import type { Device } from '#src/engine/device.js';
import { elementCount, Graph, type Tensor } from '#src/engine/tensor.js';
import { operandValues } from '../operand-values.js';
import type { Entrant, TensorForm } from '../workload.js';

/** tailray as a contender: the work is a graph, compiled with whatever variants the engine chooses. */

export interface TailrayHost {
  readonly version: string;
  readonly device: Device;
}

/** @param trace adds the work to a graph; gives the tensors to compute */
export type Trace = (inputs: readonly Tensor[]) => readonly Tensor[];

export async function tracedEntrant(
  { device }: TailrayHost,
  operands: readonly TensorForm[],
  trace: Trace,
): Promise<Entrant> {
  const graph = new Graph();
  const inputs = operands.map(({ shape }, i) => graph.input(`operand ${i}`, shape));
  const outputs = trace(inputs);
  const program = await compile(device, { graph, outputs });
  // Once: from here on the operands are ordinary tensors on the device.
  program.run(
    Object.fromEntries(operands.map((form, i) => [`operand ${i}`, operandValues(form, i)] as const)),
  );
  await device.idle();
  return {
    async round(repeats) {
      for (let i = 0; i < repeats; i++) program.run();
      await device.idle();
    },
    async results() {
      const values: Float32Array[] = [];
      for (const output of outputs) values.push(await program.read(output));
      return values;
    },
    peakBytes: program.peakBytes + operands.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0),
    dispose: () => program.destroy(),
  };
}
