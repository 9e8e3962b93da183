import { Arena, ArenaLayout } from '../../src/engine/arena.js';
import { compile } from '../../src/engine/compile.js';
import { Graph } from '../../src/engine/graph/tensor.js';
import { buildDecayTable, type DecayRule } from '../../src/kernels/optimizer/decay-table.js';
import { clipFactor, gradientNorm } from '../../src/kernels/optimizer/gradient-norm.js';
import type { BoundOptimizer } from '../../src/optimizers/define/optimizer.js';
import { testDevice } from '../device.js';

/** Few enough that a handful of parameters takes several shards. */
const SHARD_BYTES = 1_600;

/** All that optimizers here want, whether each of them does or not. */
export const STATE = ['params', 'grads', 'firstMoment', 'secondMoment', 'momentum', 'average'] as const;

export interface OptimizerSetup {
  readonly shapes: Record<string, readonly number[]>;
  readonly rules: readonly DecayRule[];
  readonly maxNorm?: number;
  readonly optimizer: BoundOptimizer;
  readonly average?: boolean;
}

/** A program of one optimizer step over arenas filled by the caller. */
export async function optimizerProgram(setup: OptimizerSetup) {
  const device = await testDevice();
  const layout = new ArenaLayout(
    Object.entries(setup.shapes).map(([name, shape]) => ({ name, shape, dtype: 'f32' as const })),
    SHARD_BYTES,
  );
  const arenas = Object.fromEntries(
    await Promise.all(STATE.map(async (name) => [name, await Arena.create(device, name, layout)] as const)),
  ) as Record<(typeof STATE)[number], Arena>;
  const graph = new Graph();
  const hyper = graph.input('hyper', [setup.optimizer.hyperLength]);
  const tables = buildDecayTable(layout, setup.rules);
  const shards = (arena: string) => layout.shardVariables(graph, arena);
  const norm = gradientNorm(shards('grads'));
  const clip = clipFactor(norm, setup.maxNorm);
  for (const [i, values] of tables.entries()) {
    setup.optimizer.update({
      params: shards('params')[i]!,
      state: Object.fromEntries(setup.optimizer.state.map((name) => [name, shards(name)[i]!])),
      grads: shards('grads')[i]!,
      table: graph.constant(values, [values.length / 2, 2]),
      hyper,
      clip,
      average: setup.average ? shards('average')[i] : undefined,
    });
  }
  const program = await compile(device, { graph, arenas, records: [norm, clip] });
  return { program, arenas, layout };
}
