import { TailrayError } from '../engine/errors.js';
import { Random } from '../engine/random.js';
import { elementCount, Graph, type Tensor } from '../engine/tensor.js';
import type { Architecture, Stem } from './backbone.js';
import { CONVNEXTS } from './convnext.js';
import {
  type Initializer,
  ModelScope,
  type ParameterSpec,
  type ScopeOptions,
  type StatisticSpec,
} from './model-scope.js';
import { RESNETS } from './resnet.js';

/** What a model is, apart from any device: its configuration, its parameters, and how to trace it. */
export interface ModelConfig {
  /** timm's name, e.g. `resnet18`. */
  readonly arch: string;
  readonly classes: number;
  /** Default 1: radiographs are grey. */
  readonly inChannels?: number;
  readonly head?: 'linear';
  /** Default: the architecture's own. */
  readonly stem?: Stem | undefined;
  /** Channels of the first stage; default: those of the published network. */
  readonly width?: number | undefined;
  /** Dropout before the classifier, default 0. */
  readonly dropRate?: number;
  /** Stochastic depth: the share of images for which the last residual block is left out in training, default 0. */
  readonly dropPathRate?: number;
}

/** What training may need; see `ScopeOptions`. */
export type TraceOptions = Pick<ScopeOptions, 'dropoutSeed' | 'holdsStatistics'>;

export interface TracedModel {
  /** [n, classes] */
  readonly logits: Tensor;
  /** Pooled features [n, f]. */
  readonly features: Tensor;
  /** In training: the value of this batch for each running statistic that follows it, by name. */
  readonly observed: ReadonlyMap<string, Tensor>;
}

/** A configuration with every field there. */
export type FullModelConfig = { readonly [K in keyof ModelConfig]-?: NonNullable<ModelConfig[K]> };

export interface ModelDefinition {
  readonly config: FullModelConfig;
  /** Whether training draws masks, so that `trace` needs a `dropoutSeed`. */
  readonly usesDropout: boolean;
  /** In the order in which they lie in an arena. */
  readonly parameters: readonly ParameterSpec[];
  readonly statistics: readonly StatisticSpec[];
  /**
   * Adds the model to a graph; its variables live in the arenas `params` and `stats`.
   * @param images [n, h, w, inChannels], normalised
   */
  trace(graph: Graph, images: Tensor, mode: 'train' | 'eval', options?: TraceOptions): TracedModel;
}

/** The architecture is unknown or its options make no network. */
export class ModelError extends TailrayError {}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = { ...RESNETS, ...CONVNEXTS };

export function architectures(): string[] {
  return Object.keys(ARCHITECTURES);
}

/** @throws ModelError naming the option that is wrong and what it may be */
export function defineModel(config: ModelConfig): ModelDefinition {
  const architecture = ARCHITECTURES[config.arch];
  if (!architecture) {
    throw new ModelError(
      `there is no architecture "${config.arch}"; known are ${architectures().join(', ')}`,
    );
  }
  const full = withDefaults(config, architecture);
  const trace = (scope: ModelScope, images: Tensor): { logits: Tensor; features: Tensor } => {
    const map = architecture.featureMap(scope, images, full);
    scope.nextLayer();
    const features = architecture.pool(scope, map);
    scope.group = 'head';
    const logits = architecture.classifier(scope, scope.dropout(features, full.dropRate), full.classes);
    return { logits, features };
  };
  // One trace on a throw-away graph tells all parameters; their shapes do not depend on the image size.
  const dry = new Graph();
  const scope = new ModelScope(dry, { mode: 'eval' });
  trace(scope, dry.input('images', [1, 64, 64, full.inChannels]));
  return {
    config: full,
    usesDropout: full.dropRate > 0 || full.dropPathRate > 0,
    parameters: scope.parameters,
    statistics: scope.statistics,
    trace(graph, images, mode, options = {}) {
      const own = new ModelScope(graph, { ...options, mode });
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
    case 'constant':
      return init.value;
    case 'normal':
      return random.normal(0, init.deviation);
    case 'kaimingNormal':
      return random.normal(0, Math.sqrt(2 / init.fanOut));
    case 'uniform':
      return random.uniform(-1, 1) / Math.sqrt(init.fanIn);
  }
}

function withDefaults(config: ModelConfig, { stems, stem, width }: Architecture): FullModelConfig {
  const full: FullModelConfig = {
    inChannels: 1,
    head: 'linear',
    dropRate: 0,
    dropPathRate: 0,
    ...config,
    stem: config.stem ?? stem,
    width: config.width ?? width,
  };
  for (const name of ['classes', 'inChannels', 'width'] as const) {
    if (!Number.isInteger(full[name]) || full[name] < 1) {
      throw new ModelError(`model.${name} must be a whole number of at least 1, got ${full[name]}`);
    }
  }
  for (const name of ['dropRate', 'dropPathRate'] as const) {
    if (!(full[name] >= 0 && full[name] < 1)) {
      throw new ModelError(`model.${name} must be in [0, 1), got ${full[name]}`);
    }
  }
  if (!stems.includes(full.stem)) {
    throw new ModelError(`${full.arch} has no stem "${full.stem}"; model.stem may be ${stems.join(', ')}`);
  }
  return full;
}
