import { TailrayError } from '../engine/errors.js';
import { Random } from '../engine/random.js';
import { elementCount, Graph, type Tensor } from '../engine/tensor.js';
import { type Initializer, ModelScope, type ParameterSpec, type StatisticSpec } from './model-scope.js';
import { linearHead, RESNETS, type ResNetStem, resnetFeatureMap } from './resnet.js';

/** What a model is, apart from any device: its configuration, its parameters, and how to trace it. */
export interface ModelConfig {
  /** timm's name, e.g. `resnet18`. */
  readonly arch: string;
  readonly classes: number;
  /** Default 1: radiographs are grey. */
  readonly inChannels?: number;
  readonly head?: 'linear';
  readonly stem?: ResNetStem;
  /** Channels of the first stage, default 64. */
  readonly width?: number;
  /** Dropout before the classifier, default 0. */
  readonly dropRate?: number;
}

export interface TracedModel {
  /** [n, classes] */
  readonly logits: Tensor;
  /** Pooled features [n, f]. */
  readonly features: Tensor;
  /** In training: the value of this batch for each running statistic, by name. */
  readonly observed: ReadonlyMap<string, Tensor>;
}

export interface ModelDefinition {
  readonly config: Required<ModelConfig>;
  /** In the order in which they lie in an arena. */
  readonly parameters: readonly ParameterSpec[];
  readonly statistics: readonly StatisticSpec[];
  /**
   * Adds the model to a graph; its variables live in the arenas `params` and `stats`.
   * @param images [n, h, w, inChannels], normalised
   */
  trace(
    graph: Graph,
    images: Tensor,
    mode: 'train' | 'eval',
    options?: { dropoutSeed?: Tensor },
  ): TracedModel;
}

/** The architecture is unknown or its options make no network. */
export class ModelError extends TailrayError {}

export function architectures(): string[] {
  return Object.keys(RESNETS);
}

/** @throws ModelError naming the option that is wrong and what it may be */
export function defineModel(config: ModelConfig): ModelDefinition {
  const full = withDefaults(config);
  const resnet = RESNETS[full.arch];
  if (!resnet) {
    throw new ModelError(`there is no architecture "${full.arch}"; known are ${architectures().join(', ')}`);
  }
  const { stem, width, classes, dropRate } = full;
  const trace = (scope: ModelScope, images: Tensor): { logits: Tensor; features: Tensor } => {
    const map = resnetFeatureMap(scope, images, resnet, { stem, width });
    scope.group = 'head';
    return linearHead(scope, map, { classes, dropRate });
  };
  // One trace on a throw-away graph tells all parameters; their shapes do not depend on the image size.
  const dry = new Graph();
  const scope = new ModelScope(dry, { mode: 'eval' });
  trace(scope, dry.input('images', [1, 64, 64, full.inChannels]));
  return {
    config: full,
    parameters: scope.parameters,
    statistics: scope.statistics,
    trace(graph, images, mode, options = {}) {
      const own = new ModelScope(graph, { mode, dropoutSeed: options.dropoutSeed });
      return { ...trace(own, images), observed: own.observed };
    },
  };
}

/** Fresh parameters; each tensor draws from a stream of its own name, so that adding a layer changes no other. */
export function initialParameters(definition: ModelDefinition, seed: number): Map<string, Float32Array> {
  return new Map(
    definition.parameters.map(({ name, shape, init }) => {
      const random = new Random(seed, 'init', name);
      return [name, Float32Array.from({ length: elementCount(shape) }, () => draw(init, random))];
    }),
  );
}

export function initialStatistics(definition: ModelDefinition): Map<string, Float32Array> {
  return new Map(
    definition.statistics.map(({ name, shape, initial }) => [
      name,
      new Float32Array(elementCount(shape)).fill(initial),
    ]),
  );
}

/** Trainable values. */
export function parameterCount(definition: ModelDefinition): number {
  return definition.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

function draw(init: Initializer, random: Random): number {
  switch (init.kind) {
    case 'zeros':
      return 0;
    case 'ones':
      return 1;
    case 'kaimingNormal':
      return random.normal(0, Math.sqrt(2 / init.fanOut));
    case 'uniform':
      return random.uniform(-1, 1) / Math.sqrt(init.fanIn);
  }
}

function withDefaults(config: ModelConfig): Required<ModelConfig> {
  const full = {
    inChannels: 1,
    head: 'linear',
    stem: 'imagenet',
    width: 64,
    dropRate: 0,
    ...config,
  } as const;
  for (const name of ['classes', 'inChannels', 'width'] as const) {
    if (!Number.isInteger(full[name]) || full[name] < 1) {
      throw new ModelError(`model.${name} must be a whole number of at least 1, got ${full[name]}`);
    }
  }
  if (!(full.dropRate >= 0 && full.dropRate < 1)) {
    throw new ModelError(`model.dropRate must be in [0, 1), got ${full.dropRate}`);
  }
  return full;
}
