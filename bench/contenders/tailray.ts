import type { Tuning } from '#src/engine/choose/tune.js';
import { compile } from '#src/engine/compile.js';
import type { Device } from '#src/engine/device.js';
import { Graph, type Tensor } from '#src/engine/graph/tensor.js';
import type { Entrant, TensorForm } from '../entrant.js';
import { operandValues } from '../operand-values.js';

/** tailray as a contender: the work is a graph, compiled with whatever variants the engine chooses. */

export interface TailrayHost {
  readonly version: string;
  readonly device: Device;
  /** How kernels are chosen; absent: by the rule. */
  readonly tuning?: Tuning | undefined;
}

/** @param trace adds the work to a graph; gives the tensors to compute */
export type Trace = (inputs: readonly Tensor[]) => readonly Tensor[];

export async function tracedEntrant(
  { device, tuning }: TailrayHost,
  operands: readonly TensorForm[],
  trace: Trace,
): Promise<Entrant> {
  const graph = new Graph();
  const inputs = operands.map(({ shape }, i) => graph.input(`operand ${i}`, shape));
  const outputs = trace(inputs);
  const program = await compile(device, { graph, outputs, tuning });
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
    peakBytes: program.ownBytes,
    dispose: () => program.destroy(),
  };
}
