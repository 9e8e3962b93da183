import { describe, expect, test } from 'vitest';
import { PROGRAMS } from '../../../bench/shaders/programs.js';
import { at, type DeviceTraits, type KernelStep } from '../../../src/engine/graph/tensor.js';
import type { Plan } from '../../../src/engine/plan/plan.js';
import { formatByteSize } from '../../../src/text/byte-size.js';
import { ARC, H100, INTEGRATED, M2, RDNA3 } from '../../gpus.js';

/**
 * Whole programs planned by the rule for GPUs that are not here. What must hold on every GPU is asserted; what the rule
 * chose is kept beside this file, so that a change of it is seen.
 */

const GPUS: Readonly<Record<string, DeviceTraits>> = { H100, M2, RDNA3, ARC, INTEGRATED };
const NAMES = ['resnet18', 'resnet50-batch4', 'convnext_tiny', 'convnextv2_base-inference'];
/** Ops that are matrix products. */
const PRODUCTS = new Set([
  'conv2d',
  'conv2dInputGradient',
  'conv2dWeightGradient',
  'conv2dWeightBiasGradient',
  'bmm',
]);
/** A product of so many operations keeps any of these GPUs busy for longer than a dispatch takes to begin. */
const LARGE = 2e8;
/** Resident workgroups of a unit, at most, on these GPUs. Fewer workgroups than half of the units would leave many idle. */
const GROUPS_A_UNIT = 8;

interface Dispatch {
  readonly op: string;
  readonly variant: string;
  /** Of the whole op, as is the largest number of workgroups of its dispatches. */
  readonly flops: number;
  readonly groups: number;
  readonly step: Extract<KernelStep, { kind: 'dispatch' }>;
  readonly split: boolean;
}

for (const [gpu, traits] of Object.entries(GPUS)) {
  describe(gpu, () => {
    for (const name of NAMES) {
      test(name, { timeout: 120_000 }, async () => {
        const plans = at([PROGRAMS[name]], 0)?.plan({ description: gpu, traits }) ?? [];
        const dispatches = plans.flatMap(dispatchesOf);
        for (const { op, step } of dispatches) {
          const lanes = lanesOf(step.code);
          expect(lanes, op).toBeLessThanOrEqual(traits.maxInvocations);
          expect(Math.max(...step.workgroups), op).toBeLessThanOrEqual(traits.maxWorkgroups);
          expect(step.bindings.length, op).toBeLessThanOrEqual(traits.maxBindings);
        }
        const products = dispatches.filter(({ op }) => PRODUCTS.has(op));
        expect(
          products.filter(({ variant }) => ['direct', 'lanes', 'tileRegisters'].includes(variant)),
        ).toEqual([]);
        const idle = products.filter(
          ({ flops, groups }) => flops > LARGE && groups < traits.residentGroups / GROUPS_A_UNIT / 2,
        );
        expect(idle.map(({ op, variant, groups }) => `${op} ${variant} ${groups}`)).toEqual([]);
        await expect(summary(plans, dispatches)).toMatchFileSnapshot(
          `plans/${gpu.toLowerCase()}-${name}.txt`,
        );
      });
    }
  });
}

function dispatchesOf({ actions }: Plan): Dispatch[] {
  return actions.flatMap((action) => {
    if (action.kind !== 'kernel') return [];
    const { node, variant, kernel } = action.chosen;
    const { inputs, outputs, attributes } = node;
    const flops = node.op.flops({ inputs, outputs, attributes });
    const steps = kernel.steps.flatMap((step) => (step.kind === 'dispatch' ? [step] : []));
    const groups = Math.max(...steps.map(({ workgroups: [x, y, z] }) => x * y * z));
    const split = kernel.scratch.length > 0;
    return steps.map((step) => ({ op: node.op.name, variant, flops, groups, step, split }));
  });
}

function lanesOf(code: string): number {
  const [, size = '1'] = /@workgroup_size\(([^)]*)\)/.exec(code) ?? [];
  return size.split(',').reduce((product, side) => product * Number.parseInt(side, 10), 1);
}

/** The choices in a few lines: variants of each op, how often, and how many of them in shares. */
function summary(plans: readonly Plan[], dispatches: readonly Dispatch[]): string {
  const memory = plans.reduce((most, { bytes }) => Math.max(most, bytes.total), 0);
  const counts = new Map<string, { all: number; split: number }>();
  for (const { op, variant, split } of dispatches) {
    const key = `${op} ${variant}`;
    const count = counts.get(key) ?? { all: 0, split: 0 };
    counts.set(key, { all: count.all + 1, split: count.split + Number(split) });
  }
  const lines = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { all, split }]) => `${key}: ${all}${split > 0 ? `, ${split} with partial results` : ''}`);
  return [`${dispatches.length} dispatches, ${formatByteSize(memory)}`, ...lines, ''].join('\n');
}
