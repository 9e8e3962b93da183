import { type Arena, ArenaLayout, ArenaPlan, createArenas } from '../engine/arena.js';
import type { Device } from '../engine/device.js';

import type { ModelTensors, ModelWeights } from './weights/timm-weights.js';

/** The two arenas that a traced network reads: its parameters and, as `stats`, its running statistics. */
export interface WeightArenas<A extends ArenaPlan = ArenaPlan> {
  readonly params: A;
  readonly stats: A;
}

/** How the weights of a network lie where they only are read. @param maxShardBytes the adapter's binding limit */
export function planWeightArenas(tensors: ModelTensors, maxShardBytes: number): WeightArenas {
  const plan = (name: string, each: ModelTensors['parameters' | 'statistics']) =>
    new ArenaPlan(name, new ArenaLayout(each, maxShardBytes));
  return { params: plan('params', tensors.parameters), stats: plan('stats', tensors.statistics) };
}

/** Puts weights onto a device. @throws OutOfMemoryError */
export async function createWeightArenas(
  device: Device,
  tensors: ModelTensors,
  { parameters, statistics }: ModelWeights,
): Promise<WeightArenas<Arena>> {
  const plans = planWeightArenas(tensors, device.traits.maxBindingBytes);
  const { params, stats } = await createArenas(device, { params: plans.params, stats: plans.stats });
  for (const [name, values] of parameters) params.write(name, values);
  for (const [name, values] of statistics) stats.write(name, values);
  return { params, stats };
}
