import { createHash } from 'node:crypto';
import { BenchError } from '../bench-error.js';
import { type Dispatch, dispatchesOf } from './dispatches.js';
import type { NullDevice } from './driver/null-device.js';
import { radvEnvironment } from './driver/radv.js';
import { assemble, type Shader, type SpirvModule, translate, usesMatrices } from './driver/spirv.js';
import type { GpuProfile } from './gpu.js';
import { readCode } from './isa/walk.js';
import { type Kernel, type Modelled, model } from './model.js';
import { PROGRAMS } from './programs.js';

/** Programs, with every dispatch compiled and modelled. */
export interface JudgedProgram {
  readonly program: string;
  readonly dispatches: readonly JudgedDispatch[];
  /** What the GPU's rates allow: each op's arithmetic or its bytes, whichever takes longer. */
  readonly roofSeconds: number;
  /** Dispatches that are missing among these, since they do not compile. */
  readonly refused: number;
}

export interface JudgedDispatch {
  readonly dispatch: Dispatch;
  /** Of the pipeline, by its code and layout. */
  readonly key: string;
  readonly kernel: Kernel;
  readonly modelled: Modelled;
  readonly roofSeconds: number;
}

/** A pipeline that Dawn or the driver refuses. */
export interface Refused {
  readonly program: string;
  readonly op: string;
  readonly variant: string;
  readonly reason: string;
}

export interface Judgement {
  readonly programs: readonly JudgedProgram[];
  readonly refused: readonly Refused[];
}

export interface JudgeOptions {
  readonly gpu: GpuProfile;
  readonly device: NullDevice;
  /** Whether a dispatch is wanted. */
  readonly wanted?: (dispatch: Dispatch) => boolean;
}

export async function judge(names: readonly string[], options: JudgeOptions): Promise<Judgement> {
  const { gpu, device, wanted = () => true } = options;
  const lists: { program: string; dispatches: Dispatch[]; roofSeconds: number }[] = [];
  for (const program of names) {
    const work = PROGRAMS[program];
    const traits = work?.matrices ? { ...gpu.traits, matrices: gpu.matrices } : gpu.traits;
    const plans = work?.plan({ traits, description: gpu.family }) ?? [];
    const dispatches = await dispatchesOf(plans, traits);
    lists.push({
      program,
      dispatches: dispatches.filter(wanted),
      roofSeconds: dispatches.reduce((sum, each) => sum + (each.step === 0 ? roofOfOp(each, gpu) : 0), 0),
    });
  }
  const all = lists.flatMap(({ dispatches }) => dispatches);
  const kernels = await compileAll(new Map(all.map(({ shader }) => [keyOf(shader), shader])), device);
  const refused: Refused[] = [];
  const known = new Map<string, Modelled>();
  const programs = lists.map(({ program, dispatches, roofSeconds }): JudgedProgram => {
    const judged: JudgedDispatch[] = [];
    for (const dispatch of dispatches) {
      const key = keyOf(dispatch.shader);
      const kernel = kernels.get(key);
      if (!kernel || kernel instanceof BenchError) {
        const { op, variant } = dispatch;
        refused.push({ program, op, variant, reason: kernel?.message ?? '' });
        continue;
      }
      const { grid, dims, bytes } = dispatch;
      const work = JSON.stringify([key, grid, dims, bytes]);
      const modelled = known.get(work) ?? model(kernel, { grid, dims, bytes }, gpu);
      known.set(work, modelled);
      judged.push({ dispatch, key, kernel, modelled, roofSeconds: 0 });
    }
    return {
      program,
      dispatches: withRoofs(judged, gpu),
      roofSeconds,
      refused: dispatches.length - judged.length,
    };
  });
  return { programs, refused };
}

/** The machine code of each pipeline, or why there is none. */
export async function compileAll(
  shaders: ReadonlyMap<string, Shader>,
  device: NullDevice,
): Promise<Map<string, Kernel | BenchError>> {
  const translated = await translate([...shaders.values()], {
    environment: radvEnvironment(device.family),
    silenced: () => [device.placeOf('vkBeginCommandBuffer')],
  });
  const modules = await assemble(translated.flatMap((each) => (each instanceof BenchError ? [] : [each])));
  const kernels = new Map<string, Kernel | BenchError>();
  let next = 0;
  [...shaders.keys()].forEach((key, i) => {
    const text = translated[i]!;
    const module = text instanceof BenchError ? text : modules[next++]!;
    kernels.set(key, module instanceof BenchError ? module : compileOne(module, device));
  });
  return kernels;
}

function compileOne(module: SpirvModule, device: NullDevice): Kernel | BenchError {
  try {
    const compiled = device.compile(module);
    const { bindings, size } = module;
    return { compiled, code: readCode(compiled.assembly), bindings, size };
  } catch (error) {
    if (error instanceof BenchError) return error;
    throw error;
  }
}

export function keyOf({ code, layout }: Shader): string {
  const text = `${code}\n${JSON.stringify(layout?.entries ?? [])}`;
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function roofOfOp({ shader, flops, leastBytes }: Dispatch, gpu: GpuProfile): number {
  const rate = usesMatrices(shader) ? gpu.matrixFlops : gpu.flops;
  return Math.max(flops / rate, leastBytes / gpu.bandwidth);
}

/** An op's roof belongs to its dispatches in proportion to their modelled times. */
function withRoofs(judged: readonly JudgedDispatch[], gpu: GpuProfile): JudgedDispatch[] {
  const totals = new Map<number, number>();
  for (const { dispatch, modelled } of judged) {
    totals.set(dispatch.action, (totals.get(dispatch.action) ?? 0) + modelled.seconds);
  }
  return judged.map((each) => {
    const share = each.modelled.seconds / (totals.get(each.dispatch.action) ?? 1);
    return { ...each, roofSeconds: roofOfOp(each.dispatch, gpu) * share };
  });
}
