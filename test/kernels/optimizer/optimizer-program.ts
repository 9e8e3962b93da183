import { Arena, ArenaLayout } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { buildDecayTable, type ParameterGroup } from '../../../src/kernels/optimizer/decay-table.js';
import { clipFactor, gradientNorm } from '../../../src/kernels/optimizer/gradient-norm.js';
import { ADAMW_HYPER, adamW, SGD_HYPER, sgd } from '../../../src/kernels/optimizer/optimizer.js';
import { testDevice } from '../../device.js';

/** Few enough that a handful of parameters takes several shards. */
const SHARD_BYTES = 1_600;

export const STATE = ['params', 'grads', 'first', 'second', 'average'] as const;

export interface OptimizerSetup {
  readonly shapes: Record<string, readonly number[]>;
  readonly groups: readonly ParameterGroup[];
  readonly maxNorm?: number;
  readonly optimizer: 'adamW' | 'sgd' | 'nesterov';
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
  const hyper = graph.input('hyper', [setup.optimizer === 'adamW' ? ADAMW_HYPER : SGD_HYPER]);
  const tables = buildDecayTable(layout, setup.groups);
  const shard = (arena: string, i: number): Tensor =>
    graph.variable(arena, ArenaLayout.shardName(i), [layout.shards[i]!]);
  const norm = gradientNorm(layout.shards.map((_, i) => shard('grads', i)));
  const clip = clipFactor(norm, setup.maxNorm);
  for (const [i, values] of tables.entries()) {
    const common = {
      params: shard('params', i),
      grads: shard('grads', i),
      table: graph.constant(values, [values.length / 2, 2]),
      hyper,
      clip,
      ...(setup.average ? { average: shard('average', i) } : {}),
    };
    if (setup.optimizer === 'adamW') {
      adamW({ ...common, firstMoment: shard('first', i), secondMoment: shard('second', i) });
    } else {
      sgd({ ...common, momentum: shard('first', i) }, { nesterov: setup.optimizer === 'nesterov' });
    }
  }
  const program = await compile(device, { graph, arenas, records: [norm, clip] });
  return { program, arenas, layout };
}
