import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { compile, planProgram } from '../../../src/engine/compile.js';
import { MemoryBudgetError } from '../../../src/engine/errors.js';
import { rewrite } from '../../../src/engine/graph/rewrite.js';
import { Graph, type Node, type Tensor } from '../../../src/engine/graph/tensor.js';
import type { Location } from '../../../src/engine/plan/location.js';
import { type Plan, resolve } from '../../../src/engine/plan/plan.js';
import { Recomputer } from '../../../src/engine/plan/recompute.js';
import { store } from '../../../src/engine/store.js';
import { exp, mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { testDevice } from '../../device.js';
import { LAYERS, type Layer, type TracedNetwork, traceNetwork } from '../traced-network.js';

const LIMITS = { maxBindings: 8 };

const open: TracedNetwork[] = [];

afterAll(() => {
  for (const { arenas } of open) for (const arena of Object.values(arenas)) arena.destroy();
});

async function networkOf(layers: readonly Layer[], ...sizes: number[]): Promise<TracedNetwork> {
  const network = await traceNetwork(layers, ...sizes);
  open.push(network);
  return network;
}

async function planWith({ graph, outputs, arenas }: TracedNetwork, memory?: number): Promise<Plan> {
  const device = await testDevice();
  return planProgram(device, { graph, outputs, arenas, ...(memory !== undefined && { memory }) });
}

/** The plan, or where nothing fits, the least that does. */
async function planOrLeast(network: TracedNetwork, memory: number): Promise<Plan | number> {
  try {
    return await planWith(network, memory);
  } catch (error) {
    if (error instanceof MemoryBudgetError) return error.leastBytes;
    throw error;
  }
}

/** Every output and every gradient after one run within so much memory. */
async function valuesOf({ graph, outputs, arenas, feeds }: TracedNetwork, memory: number) {
  const device = await testDevice();
  const before = await arenas.params.readAll();
  const program = await compile(device, { graph, outputs, arenas, memory });
  program.run(feeds);
  const values: Float32Array[] = [];
  for (const output of outputs) values.push(await program.read(output));
  for (const arena of Object.values(arenas)) values.push(...(await arena.readAll()).values());
  for (const [name, old] of before) arenas.params.write(name, old);
  program.destroy();
  return { values, recomputed: program.recomputation?.recomputed ?? 0 };
}

/** What each step of a run uses: a kernel's dispatches and copies, one by one. */
function stepsOf({ actions, locate }: Plan): Location[][] {
  return actions.flatMap((action) => {
    if (action.kind === 'copy') return [[locate(action.from)]];
    const { chosen, scratch } = action;
    return chosen.kernel.steps.map((step) => {
      const operands = step.kind === 'dispatch' ? step.bindings.map(({ operand }) => operand) : [step.from];
      return operands.map((operand) => resolve(operand, chosen.node, scratch, locate));
    });
  });
}

const BLOCK: readonly Layer[] = ['conv', 'norm', 'relu', 'conv', 'norm', 'shortcut', 'relu'];

const networks = fc.array(fc.constantFrom(...LAYERS), { minLength: 4, maxLength: 24 });

describe('a program within a memory budget', () => {
  test('gives the same values to the last bit, whatever it recomputes', async () => {
    const mixed: Layer[] = ['conv', 'pool', 'gelu', 'dropout', 'conv', 'reshape', 'gate', 'shortcut'];
    for (const layers of [
      [...BLOCK, ...BLOCK, ...BLOCK],
      [...mixed, ...mixed],
    ]) {
      const network = await networkOf(layers);
      const { bytes } = await planWith(network);
      const least = await planOrLeast(network, 1);
      expect(least).toBeTypeOf('number');
      const expected = await valuesOf(network, bytes.total);
      expect(expected.recomputed).toBe(0);
      for (const share of [0, 0.3, 0.7]) {
        const budget = Math.ceil((least as number) + share * (bytes.total - (least as number)));
        const { values, recomputed } = await valuesOf(network, budget);
        expect(recomputed).toBeGreaterThan(0);
        expect(values).toEqual(expected.values);
      }
    }
  });

  test('its plan keeps within the budget, or tells a size within which there is one', async () => {
    await fc.assert(
      fc.asyncProperty(networks, fc.double({ min: 0, max: 1, noNaN: true }), async (layers, share) => {
        const network = await networkOf([...layers, ...BLOCK], 2, 16);
        const { bytes } = await planWith(network);
        const budget = Math.ceil(bytes.total - share * bytes.intermediates);
        const outcome = await planOrLeast(network, budget);
        if (typeof outcome !== 'number') {
          expect(outcome.bytes.total).toBeLessThanOrEqual(budget);
          return;
        }
        expect(outcome).toBeGreaterThan(budget);
        const fitting = await planWith(network, outcome);
        expect(fitting.bytes.total).toBeLessThanOrEqual(outcome);
      }),
      { numRuns: 25 },
    );
  });

  test('in its plan, values alive at once share no byte', async () => {
    await fc.assert(
      fc.asyncProperty(networks, async (layers) => {
        const network = await networkOf([...layers, ...BLOCK], 2, 16);
        const least = await planOrLeast(network, 1);
        const plan = await planWith(network, least as number);
        const alive = new Map<
          number,
          { from: number; to: number; offset: number; end: number; buffer: number }
        >();
        for (const [time, used] of stepsOf(plan).entries()) {
          for (const location of used) {
            if (location.kind !== 'planned') continue;
            const { buffer, offset } = plan.memory.places[location.lifetime]!;
            const known = alive.get(location.lifetime);
            if (known) known.to = time;
            else
              alive.set(location.lifetime, {
                from: time,
                to: time,
                offset,
                end: offset + location.bytes,
                buffer,
              });
          }
        }
        const all = [...alive.values()];
        for (const [i, a] of all.entries()) {
          for (const b of all.slice(i + 1)) {
            const meet = a.buffer === b.buffer && a.offset < b.end && b.offset < a.end;
            expect(meet && a.from <= b.to && b.from <= a.to).toBe(false);
          }
        }
      }),
      { numRuns: 10 },
    );
  });

  test('recomputes cheap values before dear ones', async () => {
    const network = await networkOf([...BLOCK, ...BLOCK, ...BLOCK], 2, 16);
    const { bytes } = await planWith(network);
    const { recomputation, actions } = await planWith(network, bytes.total - 0.05 * bytes.intermediates);
    const again = actions.flatMap((action) =>
      action.kind === 'kernel' && action.chosen.node.label.startsWith('again:')
        ? [action.chosen.node.op.name]
        : [],
    );
    expect(recomputation!.recomputed).toBe(again.length);
    expect(new Set(again)).toEqual(new Set(['pointwise']));
    expect(recomputation!.extraFlops / recomputation!.flops).toBeLessThan(0.05);
  });

  test('says the parts of what does not fit', async () => {
    const network = await networkOf([...BLOCK, ...BLOCK]);
    await expect(planWith(network, 1000)).rejects.toThrow(
      /takes [\d.]+ KiB, and [\d.]+ KiB where as much as possible is recomputed.*textures.*intermediates/,
    );
  });
});

describe('the rewrite', () => {
  const traced = (): { graph: Graph; x: Tensor; a: Tensor; b: Tensor; loss: Tensor } => {
    const graph = new Graph();
    const x = graph.input('x', [4]);
    const a = exp(x);
    const b = exp(sum(a));
    return { graph, x, a, b, loss: sum(mul(mul(b, sum(mul(b, 2))), a)) };
  };
  const nodeOf = (nodes: readonly Node[], output: Tensor) =>
    nodes.find(({ outputs }) => outputs.includes(output))!;

  test('computes a value again right before its late use, from the same operands', () => {
    const { graph, x, a, loss } = traced();
    const keep = new Set([loss]);
    const nodes = rewrite(graph.nodes, keep, LIMITS);
    const rewritten = new Recomputer(nodes, keep).apply(new Set([nodeOf(nodes, a)]), { hold: true })!;
    expect(rewritten).toHaveLength(nodes.length + 1);
    const again = rewritten.findIndex(({ label }) => label.startsWith('again:'));
    expect(rewritten[again]!.inputs).toEqual([x]);
    expect(rewritten[again + 1]!.inputs).toContain(rewritten[again]!.outputs[0]);
    expect(rewritten[again + 1]!.inputs).not.toContain(a);
    expect(rewritten.at(-1)!.outputs).toEqual([loss]);
  });

  test('a value that is needed early for another is held, or computed a third time', () => {
    const graph = new Graph();
    const x = graph.input('x', [4]);
    const first = exp(x);
    const second = exp(first);
    const between = exp(exp(exp(x)));
    const usesSecond = exp(exp(mul(between, second)));
    const usesFirst = mul(usesSecond, first);
    const { nodes } = graph;
    const recomputer = new Recomputer(nodes, new Set([usesFirst]));
    const dropped = new Set([nodeOf(nodes, first), nodeOf(nodes, second)]);
    const again = (hold: boolean) =>
      recomputer.apply(dropped, { hold })!.filter(({ label }) => label.startsWith('again:'));
    expect(again(true)).toHaveLength(2);
    expect(again(false)).toHaveLength(3);
  });

  test('what is used late only is computed late only', () => {
    const graph = new Graph();
    const x = graph.input('x', [4]);
    const mask = sum(exp(x));
    const other = sum(mul(sum(mul(x, 3)), 2));
    const late = mul(mask, other);
    const keep = new Set([late]);
    const nodes = rewrite(graph.nodes, keep, LIMITS);
    const rewritten = new Recomputer(nodes, keep).apply(new Set([nodeOf(nodes, mask)]), { hold: true })!;
    expect(rewritten).toHaveLength(nodes.length);
    expect(rewritten.findIndex(({ label }) => label.startsWith('again:'))).toBe(nodes.length - 2);
  });

  test('nothing is computed again from a variable that has changed since', () => {
    const graph = new Graph();
    const variable = graph.variable('state', 'v', [4]);
    const value = exp(variable);
    const total = sum(value);
    store(mul(total, graph.constant(new Float32Array(4), [4])), variable);
    const late = sum(mul(value, total));
    const keep = new Set([late]);
    const nodes = rewrite(graph.nodes, keep, LIMITS);
    const recomputer = new Recomputer(nodes, keep);
    expect(recomputer.isRepeatable(nodeOf(nodes, value))).toBe(true);
    expect(recomputer.apply(new Set([nodeOf(nodes, value)]), { hold: true })).toBeUndefined();
  });

  test('what is read after the run, or changes memory, is not repeatable', () => {
    const graph = new Graph();
    const x = graph.input('x', [4]);
    const [read, stored] = [exp(x), mul(x, 2)];
    store(stored, graph.variable('state', 'v', [4]));
    const recomputer = new Recomputer(graph.nodes, new Set([read]));
    expect(graph.nodes.map((node) => recomputer.isRepeatable(node))).toEqual([false, false, false]);
  });
});
