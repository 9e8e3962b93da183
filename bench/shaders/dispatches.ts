import { bytesMoved, type Chosen, problemOf } from '#src/engine/choose/choose.js';
import type { Device } from '#src/engine/device.js';
import {
  byteLength,
  type DeviceTraits,
  type KernelStep,
  type Node,
  type TensorSpec,
} from '#src/engine/graph/tensor.js';
import type { Plan } from '#src/engine/plan/plan.js';
import { bindStep } from '#src/engine/run/bindings.js';
import type { Shader } from './driver/spirv.js';

/** Every dispatch of a plan with its WGSL, exactly as the engine would make it, and with what it should cost at least. */
export interface Dispatch {
  /** Number of its op in the order of the program. */
  readonly action: number;
  readonly op: string;
  readonly label: string;
  readonly shape: string;
  readonly variant: string;
  /** Number of this dispatch among those of its op, and how many those are. */
  readonly step: number;
  readonly steps: number;
  readonly shader: Required<Shader>;
  readonly grid: readonly [number, number, number];
  /** Sizes that the kernel is told, in the order in which they lie in its last binding. */
  readonly dims: readonly number[];
  /** Of the op as a whole. */
  readonly flops: number;
  /** Of the op as a whole: what no kernel could do without. */
  readonly leastBytes: number;
  /** That this dispatch reads and writes: its operands once each, partial results included. */
  readonly bytes: number;
}

/** @param plans that run one after another */
export async function dispatchesOf(plans: readonly Plan[], traits: DeviceTraits): Promise<Dispatch[]> {
  const list: Dispatch[] = [];
  for (const [number, action] of plans.flatMap(({ actions }) => actions).entries()) {
    if (action.kind !== 'kernel') continue;
    const dispatches = await ofKernel(action.chosen, traits);
    list.push(...dispatches.map((each) => ({ action: number, ...each })));
  }
  return list;
}

async function ofKernel(
  { node, variant, kernel }: Chosen,
  traits: DeviceTraits,
): Promise<Omit<Dispatch, 'action'>[]> {
  const steps = kernel.steps.filter((step) => step.kind === 'dispatch');
  const problem = problemOf(node);
  const flops = node.op.flops(problem);
  const leastBytes = bytesMoved(node.op, problem);
  const bytes = bytesOfSteps(node, kernel.scratch, steps);
  const shaders = await Promise.all(steps.map((step) => shaderOf(node.label, step, traits)));
  return steps.map((step, number) => ({
    op: node.op.name,
    label: node.label,
    shape: `${shapesOf(node.inputs)} → ${shapesOf(node.outputs)}`,
    variant,
    step: number,
    steps: steps.length,
    shader: shaders[number]!,
    grid: step.workgroups,
    dims: Object.values(step.dims ?? {}),
    flops,
    leastBytes,
    bytes: bytes[number]!,
  }));
}

type DispatchStep = KernelStep & { readonly kind: 'dispatch' };

/** Has the engine make the pipeline on a device that only writes down what it is given. */
async function shaderOf(label: string, step: DispatchStep, traits: DeviceTraits): Promise<Required<Shader>> {
  const made: Required<Shader>[] = [];
  const recorder = {
    traits,
    gpu: { createBindGroup: () => ({}) },
    createPipeline(_label: string, code: string, layout: GPUBindGroupLayoutDescriptor) {
      made.push({ code, layout });
      return Promise.resolve({ getBindGroupLayout: () => ({}) });
    },
  };
  const resources = step.bindings.map(() => ({}) as GPUBufferBinding);
  await bindStep(recorder as unknown as Device, label, step, resources);
  return made[0]!;
}

/**
 * An operand counts in each step that reads it. One that several steps write counts in parts of the same size: each
 * writes a part of it. Where an op says that it touches less than its operands, so does each step in proportion.
 */
function bytesOfSteps(
  node: Node,
  scratch: Chosen['kernel']['scratch'],
  steps: readonly DispatchStep[],
): number[] {
  const sizeOf = ({ kind, index }: DispatchStep['bindings'][number]['operand']) => {
    if (kind === 'scratch') {
      const need = scratch[index]!;
      return need.kind === 'buffer' ? need.bytes : 0;
    }
    return byteLength((kind === 'input' ? node.inputs : node.outputs)[index]!);
  };
  const keyOf = ({ kind, index }: DispatchStep['bindings'][number]['operand']) => `${kind} ${index}`;
  const writers = new Map<string, number>();
  for (const { bindings } of steps) {
    for (const { operand, access } of bindings) {
      if (access === 'read_write') writers.set(keyOf(operand), (writers.get(keyOf(operand)) ?? 0) + 1);
    }
  }
  const mutated = new Set((node.op.mutates ?? []).map((index) => `input ${index}`));
  const operands = [...node.inputs, ...node.outputs].reduce((sum, spec) => sum + byteLength(spec), 0);
  const touched = Math.min(1, bytesMoved(node.op, problemOf(node)) / Math.max(1, operands));
  return steps.map(({ bindings }) =>
    bindings.reduce((sum, { operand, access }) => {
      const key = keyOf(operand);
      const share = access === 'read_write' ? 1 / (writers.get(key) ?? 1) : 1;
      const twice = mutated.has(key) ? 2 : 1;
      return sum + sizeOf(operand) * share * twice * (operand.kind === 'scratch' ? 1 : touched);
    }, 0),
  );
}

function shapesOf(specs: readonly TensorSpec[]): string {
  return specs.map(({ shape, dtype }) => `[${shape}]${dtype === 'f32' ? '' : dtype}`).join(' ');
}
