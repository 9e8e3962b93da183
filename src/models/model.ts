import { elementCount, Graph, type Tensor } from '../engine/graph/tensor.js';
import { Random } from '../engine/random.js';
import { globalAveragePool } from '../kernels/shape/pool.js';
import type { Architecture, ImageSize, Stem } from './backbones/backbone.js';
import { CONVNEXTS } from './backbones/convnext.js';
import { DENSENETS } from './backbones/densenet.js';
import { RESNETS } from './backbones/resnet.js';
import { VISION_TRANSFORMERS } from './backbones/vision-transformer.js';
import type { ClassPrompts, HeadOutput, HeadSettings } from './heads/head.js';
import { bindHead, type HeadChoice } from './heads/registry.js';
import { draw } from './initializer.js';
import type { Landmarks } from './landmarks.js';
import type { LoraLayers } from './lora.js';
import { ModelError } from './model-error.js';
import { ModelScope, type ParameterSpec, type ScopeOptions, type StatisticSpec } from './model-scope.js';

/** What a model is, apart from any device: its configuration, its parameters, and how to trace it. */
export interface ModelConfig {
  /** timm's name, e.g. `resnet18`. */
  readonly arch: string;
  readonly classes: number;
  /** Default 1: radiographs are grey. */
  readonly inChannels?: number;
  /** What makes logits of the features, default `linear`; see heads/registry.ts. */
  readonly head?: HeadChoice;
  /** What each class looks like, in words, [classes][prompts]; for heads that read texts. */
  readonly prompts?: ClassPrompts | undefined;
  /** Default: the architecture's own. */
  readonly stem?: Stem | undefined;
  /** Channels of the first stage, or of a transformer's tokens; default: those of the published network. */
  readonly width?: number | undefined;
  /**
   * [height, width] of the images; default: those that the published network was made for. A vision transformer has
   * parameters for each position and takes no others; all else takes any size.
   */
  readonly imageSize?: ImageSize | undefined;
  /** Dropout of the features before the head, default 0. */
  readonly dropRate?: number;
  /** Stochastic depth: the share of images for which the last residual block is left out in training, default 0. */
  readonly dropPathRate?: number;
}

/** What training may need; see `ScopeOptions`. */
export type TraceOptions = Pick<ScopeOptions, 'dropoutSeed' | 'holdsStatistics'>;

export interface TracedModel extends HeadOutput {
  /** Of each image, [n, f]: what the head read, or the mean of the map that it read. */
  readonly features: Tensor;
  /** In training: the value of this batch for each running statistic that follows it, by name. */
  readonly observed: ReadonlyMap<string, Tensor>;
  /** Where the network looked. */
  readonly landmarks: Landmarks;
}

/** A configuration with every field there; prompts where there are any. */
export type FullModelConfig = {
  readonly [K in Exclude<keyof ModelConfig, 'prompts'>]-?: K extends 'head'
    ? HeadSettings
    : NonNullable<ModelConfig[K]>;
} & Pick<ModelConfig, 'prompts'>;

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

const ARCHITECTURES = new Map<string, Architecture>(
  Object.entries({ ...RESNETS, ...DENSENETS, ...CONVNEXTS, ...VISION_TRANSFORMERS }),
);

export function architectures(): string[] {
  return [...ARCHITECTURES.keys()];
}

export interface DefineOptions {
  /** Linear layers with adapters, by the names of their weights; default: none. Not part of what the model is: see `withoutAdapters`. */
  readonly adapters?: LoraLayers | undefined;
}

/** @throws ModelError naming the option that is wrong and what it may be */
export function defineModel(config: ModelConfig, { adapters }: DefineOptions = {}): ModelDefinition {
  const architecture = ARCHITECTURES.get(config.arch);
  if (!architecture) {
    throw new ModelError(
      `there is no architecture "${config.arch}"; known are ${architectures().join(', ')}`,
    );
  }
  const head = bindHead(config.head ?? 'linear');
  const full = withDefaults(config, architecture, head.settings);
  const trace = (scope: ModelScope, images: Tensor): HeadOutput & { features: Tensor } => {
    const encoded = architecture.encode(scope, images, full);
    scope.nextLayer();
    const { classes, prompts } = full;
    const place = { classes, prompts, classifier: architecture.classifier };
    if (head.reads === 'features') {
      const features = encoded.features();
      scope.group = 'head';
      return { ...head.trace(scope, scope.dropout(features, full.dropRate), place), features };
    }
    const map = encoded.map();
    scope.group = 'head';
    const output = head.trace(scope, scope.channelDropout(map, full.dropRate), place);
    return { ...output, features: globalAveragePool(map) };
  };
  // One trace on a throw-away graph tells all parameters.
  const dry = new Graph();
  const scope = new ModelScope(dry, { mode: 'eval', adapters });
  trace(scope, dry.input('images', [1, ...full.imageSize, full.inChannels]));
  requireAdapted(scope, full.arch, adapters);
  return {
    config: full,
    usesDropout: full.dropRate > 0 || full.dropPathRate > 0 || head.usesDropout,
    parameters: scope.parameters,
    statistics: scope.statistics,
    trace(graph, images, mode, options = {}) {
      const own = new ModelScope(graph, { ...options, mode, adapters });
      return { ...trace(own, images), observed: own.observed, landmarks: own.landmarks };
    },
  };
}

/** The network whose weights those of this one are once its adapters are merged into them; itself where it has none. */
export function withoutAdapters(definition: ModelDefinition): ModelDefinition {
  return definition.parameters.some(({ adapts }) => adapts) ? defineModel(definition.config) : definition;
}

/** Fresh parameters; each tensor draws from a stream of its own name, so that adding a layer changes no other. */
export function initialParameters(
  definition: Pick<ModelDefinition, 'parameters'>,
  seed: number,
): Map<string, Float32Array> {
  return new Map(
    definition.parameters.map(({ name, shape, init }) => {
      const random = new Random(seed, 'init', name);
      const values = new Float32Array(elementCount(shape));
      for (let i = 0; i < values.length; i++) values[i] = draw(init, random);
      return [name, values];
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

/** @throws ModelError for an adapter of a layer that there is not */
function requireAdapted(
  { parameters }: Pick<ModelScope, 'parameters'>,
  arch: string,
  adapters: LoraLayers = new Map(),
): void {
  const adapted = new Set(parameters.map(({ adapts }) => adapts?.weight));
  const missing = [...adapters.keys()].find((weight) => !adapted.has(weight));
  if (missing === undefined) return;
  const linear = parameters.flatMap(({ name, adaptable }) => (adaptable ? [name] : []));
  throw new ModelError(
    `${missing} is no weight of a linear layer of ${arch}, so it has no adapters; such weights are ${linear.join(', ')}`,
  );
}

function withDefaults(
  config: ModelConfig,
  { stems, stem, width, imageSize }: Architecture,
  head: HeadSettings,
): FullModelConfig {
  const full: FullModelConfig = {
    inChannels: 1,
    dropRate: 0,
    dropPathRate: 0,
    ...config,
    head,
    stem: config.stem ?? stem,
    width: config.width ?? width,
    imageSize: config.imageSize ?? imageSize,
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
