import { type Arena, ArenaLayout, ArenaPlan, createArenas } from '#src/engine/arena.js';
import type { Tuning } from '#src/engine/choose/tune.js';
import { compile } from '#src/engine/compile.js';
import type { Device } from '#src/engine/device.js';
import { Graph, type Tensor } from '#src/engine/graph/tensor.js';
import type { Program } from '#src/engine/run/program.js';
import { copyParameters } from '#src/train/step/training-state.js';
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
  return programEntrant(device, program, outputs, program.ownBytes, () => program.destroy());
}

/** The same in mixed precision: large operands and what lies between them are f16, the results are f32. */
export async function tracedHalfEntrant(
  { device, tuning }: TailrayHost,
  operands: readonly TensorForm[],
  trace: Trace,
): Promise<Entrant> {
  const name = (i: number) => `operand ${i}`;
  const specs = operands.map(({ shape }, i) => ({ name: name(i), shape, dtype: 'f32' as const }));
  const layout = new ArenaLayout(specs, device.traits.maxBindingBytes);
  const arenas = await createArenas(device, { params: new ArenaPlan('params', layout), ...halfPlan(layout) });
  for (const [i, form] of operands.entries()) arenas.params.write(name(i), operandValues(form, i));
  await copyParameters(device, arenas);
  const graph = new Graph();
  const outputs = trace(specs.map((spec) => graph.variable('params', spec.name, spec.shape)));
  const program = await compile(device, { graph, outputs, tuning, arenas, halves: HALVES });
  const entrant = programEntrant(device, program, outputs, program.ownBytes + arenas.halfParams.bytes, () => {
    program.destroy();
    destroyAll(arenas);
  });
  return { ...entrant, costs: program.rows };
}

/** To compile a program with that reads f16 copies of the arena `params`. */
export const HALVES = { copies: { params: 'halfParams' } };

export function halfPlan(layout: ArenaLayout): { readonly halfParams: ArenaPlan } {
  return { halfParams: new ArenaPlan('halfParams', layout, { dtype: 'f16' }) };
}

export function destroyAll(arenas: Readonly<Record<string, Arena>>): void {
  for (const arena of Object.values(arenas)) arena.destroy();
}

/** A program whose operands are on the device already. */
export function programEntrant(
  device: Device,
  program: Program,
  outputs: readonly Tensor[],
  peakBytes: number,
  dispose: () => void,
): Entrant {
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
    peakBytes,
    dispose,
  };
}
