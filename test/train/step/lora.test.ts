import { beforeAll, describe, expect, test } from 'vitest';
import { ArenaLayout } from '../../../src/engine/arena.js';
import { compile } from '../../../src/engine/compile.js';
import { elementCount, Graph } from '../../../src/engine/graph/tensor.js';
import type { LoraLayers } from '../../../src/models/lora.js';
import { defineModel, initialParameters, type ModelDefinition } from '../../../src/models/model.js';
import { ModelScope } from '../../../src/models/model-scope.js';
import { createWeightArenas } from '../../../src/models/weight-arenas.js';
import { mergeAdapters } from '../../../src/models/weights/merge-adapters.js';
import { exportTimm, type ModelWeights } from '../../../src/models/weights/timm-weights.js';
import { recipeSchema } from '../../../src/recipe/recipe-schema.js';
import { adaptersOf } from '../../../src/train/step/parameter-groups.js';
import { testDevice } from '../../device.js';
import { type Digest, expectDigest, relativeError } from '../../golden/digest.js';
import { readGolden } from '../../golden/golden-files.js';
import { hashUniform } from '../../golden/hash-weights.js';
import { goldenBatch, hashWeights, type ModelGolden, type PassGolden } from '../../golden/model-golden.js';
import { openStep } from './open-step.js';

/** What make_lora.py writes: a vision transformer with adapters, one pass and four AdamW steps of PyTorch. */
interface LoraGolden extends ModelGolden {
  readonly ranks: Readonly<Record<string, { readonly rank: number; readonly alpha: number }>>;
  readonly eval: PassGolden;
  readonly steps: {
    readonly losses: readonly number[];
    readonly gradientNorms: readonly number[];
    readonly parameters: Readonly<Record<string, Digest>>;
    readonly merged: readonly (readonly number[])[];
  };
}

const golden = readGolden<LoraGolden>('lora.json.gz');
const [, height, width, channels] = golden.images;

const recipeOf = (precision: 'f32' | 'f16' = 'f32') =>
  recipeSchema.parse({
    precision,
    loss: { name: 'bce' },
    optimizer: {
      lr: 1e-3,
      weightDecay: 0.05,
      groups: [
        ...Object.entries(golden.ranks).map(([name, lora]) => ({
          match: `blocks.*.${name}.weight`,
          lora,
          lrScale: 0.5,
          weightDecay: 0.02,
        })),
        { match: 'backbone', freeze: true },
      ],
    },
    ema: false,
  });

const base = defineModel({
  arch: golden.arch,
  width: golden.width,
  classes: golden.classes,
  inChannels: channels,
  imageSize: [height, width],
});
const definition = defineModel(base.config, { adapters: adaptersOf(base, recipeOf().optimizer) });
const weights = hashWeights(definition, golden.shapes);

async function train(steps: number, recipe = recipeOf()) {
  const device = await testDevice();
  const { state, program } = await openStep(device, {
    definition,
    weights,
    recipe,
    images: golden.images,
    steps,
  });
  for (let step = 0; step < steps; step++) program.run(goldenBatch(golden), step);
  const result = {
    scalars: await program.scalars(),
    parameters: await state.arena('params').readAll(),
    gradients: await state.arena('grads').readAll(),
    rows: program.rows,
    trained: state.groups.trained,
    bytes: Object.fromEntries(Object.entries(state.arenas).map(([name, { bytes }]) => [name, bytes])),
  };
  program.destroy();
  state.destroy();
  return result;
}

async function logitsOf(network: ModelDefinition, values: ModelWeights): Promise<Float32Array> {
  const device = await testDevice();
  const arenas = await createWeightArenas(device, network, values);
  const graph = new Graph();
  const { logits } = network.trace(graph, graph.input('images', golden.images), 'eval');
  const program = await compile(device, { graph, outputs: [logits], arenas: { ...arenas } });
  program.run({ images: goldenBatch(golden).images });
  const result = await program.read(logits);
  program.destroy();
  for (const arena of Object.values(arenas)) arena.destroy();
  return result;
}

/** Under PyTorch's names and in its layout. */
const exported = (specs: ModelDefinition['parameters'], parameters: ReadonlyMap<string, Float32Array>) =>
  exportTimm({ parameters: specs, statistics: [] }, { parameters, statistics: new Map() });

test('adapters have PEFT’s names and shapes, and start as PEFT’s do', () => {
  expect(
    Object.fromEntries(
      [...exported(definition.parameters, weights.parameters)].map(([n, t]) => [n, t.shape]),
    ),
  ).toEqual(golden.shapes);
  const fresh = initialParameters(definition, 1);
  const a = fresh.get('blocks.3.attn.qkv.lora_A.weight')!;
  // Kaiming's uniform with a = √5: variance 1 / (3 · inputs)
  const bound = 1 / Math.sqrt(24);
  expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(bound);
  expect(a.reduce((sum, value) => sum + value * value, 0) / a.length / bound ** 2).toBeCloseTo(1 / 3, 1);
  expect(new Set(fresh.get('blocks.3.attn.qkv.lora_B.weight'))).toEqual(new Set([0]));
  // and nothing else is drawn otherwise because of them
  for (const [name, values] of initialParameters(base, 1)) expect(fresh.get(name), name).toEqual(values);
});

test('one pass gives PyTorch’s logits, loss, and gradients of every adapter and of the head', async () => {
  expect(relativeError(await logitsOf(definition, weights), golden.eval.logits.flat())).toBeLessThan(1e-5);
  const { scalars, gradients, trained } = await train(1);
  expect(Math.abs(scalars[0]!.loss / golden.eval.loss - 1)).toBeLessThan(1e-5);
  const named = exported(trained, gradients);
  expect([...named.keys()].sort()).toEqual(Object.keys(golden.eval.gradients).sort());
  for (const [name, digest] of Object.entries(golden.eval.gradients)) {
    expectDigest(name, named.get(name)!.data as Float32Array, digest, 2e-5);
  }
});

describe('training', () => {
  let trained: Awaited<ReturnType<typeof train>>;
  beforeAll(async () => {
    trained = await train(golden.steps.losses.length);
  });

  test('follows PyTorch', () => {
    const { losses, gradientNorms, parameters } = golden.steps;
    expect(
      relativeError(
        trained.scalars.map(({ loss }) => loss),
        losses,
      ),
    ).toBeLessThan(1e-5);
    expect(
      relativeError(
        trained.scalars.map((each) => each.gradientNorm),
        gradientNorms,
      ),
    ).toBeLessThan(1e-4);
    const named = exported(definition.parameters, trained.parameters);
    for (const [name, digest] of Object.entries(parameters)) {
      expectDigest(name, named.get(name)!.data as Float32Array, digest, 1e-4);
    }
  });

  test('leaves every bit of the weights that the adapters stand beside, without gradients or moments of them', () => {
    const trainedNames = trained.trained.map(({ name }) => name);
    expect(trainedNames).toEqual([
      ...definition.parameters.flatMap(({ name, adapts }) => (adapts ? [name] : [])),
      'head.weight',
      'head.bias',
    ]);
    for (const [name, values] of trained.parameters) {
      if (trainedNames.includes(name)) expect(values, name).not.toEqual(weights.parameters.get(name));
      else expect(values, name).toEqual(weights.parameters.get(name));
    }
    const bytes = 4 * new ArenaLayout(trained.trained, 1 << 30).elements;
    expect([trained.bytes.grads, trained.bytes.firstMoment]).toEqual([bytes, bytes]);
    const products = trained.rows
      .map(({ label }) => label)
      .filter((label) => label.endsWith('WeightGradient'));
    expect(products).toHaveLength(12 * 2 * 2 + 1);
    expect(products.filter((label) => !/\.lora\.|^grad:head\./.test(label))).toEqual([]);
  });

  test('ends in weights that an ordinary network computes the same with', async () => {
    const values = { parameters: trained.parameters, statistics: weights.statistics };
    const merged = mergeAdapters(definition.parameters, values);
    expect([...merged.parameters.keys()].sort()).toEqual(base.parameters.map(({ name }) => name).sort());
    const own = base.parameters.map(({ name }) => [name, trained.parameters.get(name)!] as const);
    const unadapted = { ...values, parameters: new Map(own) };
    const [apart, together] = [await logitsOf(definition, values), await logitsOf(base, merged)];
    expect(relativeError(together, apart)).toBeLessThan(1e-5);
    expect(relativeError(together, golden.steps.merged.flat())).toBeLessThan(1e-5);
    expect(relativeError(await logitsOf(base, unadapted), together)).toBeGreaterThan(1e-2);
  });

  const device = testDevice();
  test('works in mixed precision', async (context) => {
    if (!(await device).traits.f16) context.skip();
    const half = await train(golden.steps.losses.length, recipeOf('f16'));
    const losses = half.scalars.map(({ loss }) => loss);
    expect(relativeError(losses, golden.steps.losses)).toBeLessThan(5e-3);
    const frozen = 'blocks.0.attn.qkv.weight';
    expect(half.parameters.get(frozen)).toEqual(weights.parameters.get(frozen));
  });
});

test.each([[[6, 5]], [[2, 3, 5]], [[2, 2, 3, 5]]])(
  'an adapter beside a layer of x %j is merged exactly',
  async (shape) => {
    const device = await testDevice();
    const x = hashUniform(
      'x',
      shape.reduce((a, b) => a * b),
    );
    const run = async (adapters: LoraLayers, values?: ReadonlyMap<string, Float32Array>) => {
      const graph = new Graph();
      const scope = new ModelScope(graph, { mode: 'eval', adapters });
      const y = scope.linear('layer', graph.input('x', shape), 7);
      const { parameters } = scope;
      const hashed = new Map(
        parameters.map((each) => [each.name, hashUniform(each.name, elementCount(each.shape))]),
      );
      const used = values ?? hashed;
      const tensors = { parameters, statistics: [] };
      const arenas = await createWeightArenas(device, tensors, { parameters: used, statistics: new Map() });
      const program = await compile(device, { graph, outputs: [y], arenas: { ...arenas } });
      program.run({ x });
      const result = { y: await program.read(y), parameters, used };
      program.destroy();
      for (const arena of Object.values(arenas)) arena.destroy();
      return result;
    };
    const apart = await run(new Map([['layer.weight', { rank: 3, alpha: 2 }]]));
    const merged = mergeAdapters(apart.parameters, { parameters: apart.used, statistics: new Map() });
    const together = await run(new Map(), merged.parameters);
    expect(relativeError(together.y, apart.y)).toBeLessThan(1e-6);
    expect(relativeError((await run(new Map())).y, apart.y)).toBeGreaterThan(0.1);
  },
);

test('adapters of what is no linear layer are refused', () => {
  const adapters = new Map([['patch_embed.proj.weight', { rank: 2, alpha: 2 }]]);
  expect(() => defineModel(base.config, { adapters })).toThrow(
    /patch_embed\.proj\.weight is no weight of a linear layer of vit_tiny_patch16_224.*blocks\.0\.attn\.qkv\.weight/,
  );
});
