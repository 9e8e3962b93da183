import { afterEach, describe, expect, test } from 'vitest';
import { type Arena, ArenaLayout, RANGE_ALIGNMENT } from '../../src/engine/arena.js';
import { Graph } from '../../src/engine/graph/tensor.js';
import { Random } from '../../src/engine/random.js';
import type { Program } from '../../src/engine/run/program.js';
import { buildDecayTable, type DecayRule } from '../../src/kernels/optimizer/decay-table.js';
import { adamW } from '../../src/optimizers/adamw.js';
import { OptimizerError } from '../../src/optimizers/define/optimizer-error.js';
import { findOptimizer } from '../../src/optimizers/registry.js';
import { sgd } from '../../src/optimizers/sgd.js';
import { readGolden } from '../golden/golden-files.js';
import { expectClose } from '../kernels/check-op.js';
import { optimizerProgram, STATE } from './optimizer-program.js';

/** Sizes with every remainder; `optimizerProgram` spreads them over three shards. */
const SHAPES = { 'stem.weight': [7, 3], 'stem.bias': [1], 'body.weight': [5, 64], 'head.weight': [127] };
const OPTIMIZERS = {
  adamW: adamW.bind({ eps: 1e-5 }),
  sgd: sgd.bind({}),
  nesterov: sgd.bind({ nesterov: true }),
};
type State = Record<(typeof STATE)[number], Map<string, Float64Array>>;

const rules: DecayRule[] = [
  { matches: (name) => name.endsWith('bias'), learningRateScale: 1, weightDecay: 0 },
  { matches: (name) => name.startsWith('head'), learningRateScale: 10, weightDecay: 0.05 },
  { matches: () => true, learningRateScale: 1, weightDecay: 0.01 },
];
const ruleOf = (name: string) => rules.find(({ matches }) => matches(name))!;

const opened: (Program | Arena)[] = [];
afterEach(() => {
  for (const resource of opened.splice(0)) resource.destroy();
});

const normals = (random: Random, length: number, scale = 1) =>
  Float32Array.from({ length }, () => random.normal(0, scale));

function emptyState(shapes: Record<string, readonly number[]>): State {
  const state = Object.fromEntries(STATE.map((name) => [name, new Map()])) as State;
  for (const [name, shape] of Object.entries(shapes)) {
    for (const part of STATE) state[part].set(name, new Float64Array(shape.reduce((a, b) => a * b, 1)));
  }
  return state;
}

const norm64 = (state: State) =>
  Math.hypot(...[...state.grads.values()].map((values) => Math.hypot(...values)));

/** The papers' algorithms in float64. */
const reference = {
  adamW(state: State, step: number, lr: number, clip: number, epsilon: number) {
    for (const [name, p] of state.params) {
      const { learningRateScale, weightDecay } = ruleOf(name);
      const [g, m, v] = [state.grads.get(name)!, state.firstMoment.get(name)!, state.secondMoment.get(name)!];
      const rate = lr * learningRateScale;
      for (let i = 0; i < p.length; i++) {
        const gradient = g[i]! * clip;
        m[i] = 0.9 * m[i]! + 0.1 * gradient;
        v[i] = 0.999 * v[i]! + 0.001 * gradient ** 2;
        p[i]! *= 1 - rate * weightDecay;
        p[i]! -= (rate * m[i]!) / (1 - 0.9 ** step) / (Math.sqrt(v[i]! / (1 - 0.999 ** step)) + epsilon);
      }
    }
  },
  sgd(state: State, lr: number, clip: number, nesterov: boolean) {
    for (const [name, p] of state.params) {
      const { learningRateScale, weightDecay } = ruleOf(name);
      const [g, b] = [state.grads.get(name)!, state.momentum.get(name)!];
      for (let i = 0; i < p.length; i++) {
        const gradient = g[i]! * clip + weightDecay * p[i]!;
        b[i] = 0.9 * b[i]! + gradient;
        p[i]! -= lr * learningRateScale * (nesterov ? gradient + 0.9 * b[i]! : b[i]!);
      }
    }
  },
  average(state: State, decay: number) {
    for (const [name, p] of state.params) {
      const average = state.average.get(name)!;
      for (let i = 0; i < p.length; i++) average[i] = average[i]! * decay + p[i]! * (1 - decay);
    }
  },
};

describe('flat optimizers over three shards', () => {
  for (const { optimizer, maxNorm, average } of [
    { optimizer: OPTIMIZERS.adamW, maxNorm: 1, average: true },
    { optimizer: OPTIMIZERS.adamW, average: false },
    { optimizer: OPTIMIZERS.sgd, maxNorm: 5, average: true },
    { optimizer: OPTIMIZERS.nesterov, average: false },
  ]) {
    test(`${optimizer.name} ${JSON.stringify(optimizer.parameters)}${maxNorm ? ` clipped to ${maxNorm}` : ''}${average ? ' with average' : ''} follows float64 over 8 steps`, async () => {
      const { program, arenas, layout } = await optimizerProgram({
        shapes: SHAPES,
        rules,
        optimizer,
        average,
        ...(maxNorm ? { maxNorm } : {}),
      });
      opened.push(program, ...Object.values(arenas));
      expect(layout.shards.length).toBe(3);
      const random = new Random(4, optimizer.name);
      const state = emptyState(SHAPES);
      for (const [name, { length }] of state.params) {
        const start = normals(random, length);
        state.params.get(name)!.set(start);
        state.average.get(name)!.set(start);
        arenas.params.write(name, start);
        arenas.average.write(name, start);
      }
      for (let step = 1; step <= 8; step++) {
        const lr = 1e-2 / step;
        for (const [name, { length }] of state.grads) {
          // From far below the clipping norm to above it.
          const values = normals(random, length, 4 ** (step - 6));
          state.grads.get(name)!.set(values);
          arenas.grads.write(name, values);
        }
        const clip = maxNorm ? Math.min(1, maxNorm / (norm64(state) + 1e-6)) : 1;
        if (optimizer === OPTIMIZERS.adamW) reference.adamW(state, step, lr, clip, 1e-5);
        else reference.sgd(state, lr, clip, optimizer === OPTIMIZERS.nesterov);
        if (average) reference.average(state, 0.95);
        program.run({ hyper: optimizer.hyper({ learningRate: lr, step, averageDecay: 0.95 }) });
        const [row] = await program.history();
        expectClose(row!, [norm64(state), clip], 1e-5, `norm and factor of step ${step}`);
      }
      for (const part of STATE) {
        for (const [name, values] of await arenas[part].readAll()) {
          expectClose(values, state[part].get(name)!, 1e-5, `${part} of ${name}`);
        }
      }
    });
  }

  test('a step with an infinite or NaN gradient leaves every byte as it was, and the norm says so', async () => {
    for (const optimizer of [OPTIMIZERS.adamW, OPTIMIZERS.sgd]) {
      const { program, arenas } = await optimizerProgram({
        shapes: SHAPES,
        rules,
        optimizer,
        average: true,
        maxNorm: 1,
      });
      opened.push(program, ...Object.values(arenas));
      const random = new Random(5);
      for (const part of STATE) {
        for (const [name, { length }] of await arenas[part].readAll()) {
          arenas[part].write(name, normals(random, length).map(Math.abs));
        }
      }
      const hyper = optimizer.hyper({ learningRate: 0.1, step: 1, averageDecay: 0.5 });
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, -3e38]) {
        const gradient = (await arenas.grads.read('head.weight')).slice();
        const good = gradient[126]!;
        gradient[126] = bad;
        arenas.grads.write('head.weight', gradient);
        const before = await Promise.all(STATE.map((part) => arenas[part].readAll()));
        program.run({ hyper });
        const [[norm, factor] = []] = await program.history();
        expect(Number.isFinite(norm)).toBe(false);
        expect(factor).toBe(-1);
        const after = await Promise.all(STATE.map((part) => arenas[part].readAll()));
        expect(after).toEqual(before);
        gradient[126] = good;
        arenas.grads.write('head.weight', gradient);
      }
      const before = await arenas.params.read('stem.weight');
      program.run({ hyper });
      expect(await arenas.params.read('stem.weight')).not.toEqual(before);
    }
  });
});

interface OptimizerGolden {
  start: number[][];
  /** By step and parameter. */
  gradients: number[][][];
  groups: { weightDecay: number; lrScale: number }[];
  cases: {
    name: 'adamw' | 'sgd';
    options: { lr: number; betas?: [number, number]; eps?: number; momentum?: number; nesterov?: boolean };
    clipNorm: number | null;
    steps: { gradientNorm: number; parameters: number[][] }[];
  }[];
  /** Averages of the parameters of `cases[2]`. */
  ema: { decay: number; steps: number[][][] }[];
}

describe('optimizers against PyTorch', () => {
  const golden = readGolden<OptimizerGolden>('optimizers.json');
  const names = golden.start.map((_, i) => `group${i}`);
  const shapes = Object.fromEntries(golden.start.map(({ length }, i) => [names[i]!, [length]]));
  const torchRules = golden.groups.map(({ weightDecay, lrScale }, i) => ({
    matches: (name: string) => name === names[i],
    learningRateScale: lrScale,
    weightDecay,
  }));
  const runs = golden.cases.flatMap((expected, i) => [
    { ...expected, ema: undefined },
    ...(i === 2 ? golden.ema.map((ema) => ({ ...expected, ema })) : []),
  ]);
  for (const { name, options, clipNorm, steps, ema } of runs) {
    const title = `${name} ${JSON.stringify(options)}, clipped to ${clipNorm}, EMA ${ema?.decay ?? 'none'}`;
    test(title, async () => {
      const { lr: learningRate, ...parameters } = options;
      const optimizer = findOptimizer(name).bind(parameters);
      const { program, arenas } = await optimizerProgram({
        shapes,
        rules: torchRules,
        optimizer,
        average: ema !== undefined,
        ...(clipNorm === null ? {} : { maxNorm: clipNorm }),
      });
      opened.push(program, ...Object.values(arenas));
      for (const [i, start] of golden.start.entries()) {
        arenas.params.write(names[i]!, Float32Array.from(start));
        arenas.average.write(names[i]!, Float32Array.from(start));
      }
      for (const [step, expected] of steps.entries()) {
        for (const [i, gradient] of golden.gradients[step]!.entries()) {
          arenas.grads.write(names[i]!, Float32Array.from(gradient));
        }
        program.run({
          hyper: optimizer.hyper({ learningRate, step: step + 1, averageDecay: ema?.decay ?? 0 }),
        });
        const [row] = await program.history();
        expectClose(row!.slice(0, 1), [expected.gradientNorm], 1e-6, `norm of step ${step + 1}`);
        for (const [i, values] of expected.parameters.entries()) {
          expectClose(await arenas.params.read(names[i]!), values, 1e-6, `parameters after step ${step + 1}`);
        }
        for (const [i, values] of ema?.steps[step]?.entries() ?? []) {
          expectClose(await arenas.average.read(names[i]!), values, 1e-6, `averages after step ${step + 1}`);
        }
      }
    });
  }
});

describe('refusals', () => {
  test('a computed value cannot be updated, a shard must be whole, a table must fit', () => {
    const graph = new Graph();
    const input = (name: string, size: number) => graph.input(name, [size]);
    const variable = (name: string, size: number) => graph.variable('a', name, [size]);
    const { hyperLength, update } = OPTIMIZERS.sgd;
    const rest = { table: input('t', 2), hyper: input('h', hyperLength), clip: input('c', 1) };
    const block = RANGE_ALIGNMENT;
    const grads = input('g', block);
    const [params, momentum] = [variable('p', block), variable('m', block)];
    expect(() => update({ params: grads, state: { momentum }, grads, ...rest })).toThrow(/updated in place/);
    expect(() => update({ params, state: { momentum: grads }, grads, ...rest })).toThrow(
      /momentum is updated in place/,
    );
    expect(() => update({ params, state: {}, grads, ...rest })).toThrow(/no momentum was given/);
    const odd = { params: variable('odd', block + 1), state: { momentum: variable('m odd', block + 1) } };
    expect(() => update({ ...odd, grads, ...rest })).toThrow(/whole shard/);
    const two = { params: variable('p2', 2 * block), state: { momentum: variable('m2', 2 * block) } };
    expect(() => update({ ...two, grads: input('g2', 2 * block), ...rest })).toThrow(/table must hold 4/);
  });

  test('parameters that no rule matches, rules and parameters out of range are named', () => {
    const layout = new ArenaLayout([{ name: 'fc.weight', shape: [3], dtype: 'f32' }], 1e6);
    expect(() => buildDecayTable(layout, rules.slice(0, 2))).toThrow(/fc\.weight/);
    const negative = { matches: () => true, learningRateScale: 1, weightDecay: -1 };
    expect(() => buildDecayTable(layout, [negative])).toThrow(RangeError);
    expect(() => OPTIMIZERS.sgd.hyper({ learningRate: 1, step: 0, averageDecay: 0 })).toThrow(RangeError);
    expect(() => sgd.bind({ momentum: 1 })).toThrow(/optimizer "sgd": momentum: .*<1/);
    expect(() => adamW.bind({ momentum: 1 })).toThrow(OptimizerError);
    expect(() => findOptimizer('adam')).toThrow(/no optimizer is named "adam"; there are adamw, sgd/);
  });
});
