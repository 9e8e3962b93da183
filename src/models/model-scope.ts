import { ShapeError } from '../engine/errors.js';
import { at, elementCount, type Graph, type Shape, type Tensor } from '../engine/graph/tensor.js';
import { conv2d, matmul } from '../kernels/conv/conv.js';
import { batchNorm, batchNormInference } from '../kernels/norm/batch-norm.js';
import { globalResponseNorm } from '../kernels/norm/global-response-norm.js';
import { layerNorm } from '../kernels/norm/layer-norm.js';
import { add, dropout, mul } from '../kernels/pointwise/pointwise-table.js';
import { reshape } from '../kernels/shape/reshape.js';
import { type Initializer, ONES, ZEROS } from './initializer.js';
import type { Landmarks } from './landmarks.js';
import { type Adapts, adapterSpecs, type LoraLayers } from './lora.js';
import type { PositionGrid } from './position-grid.js';

/**
 * What a model function works with: named parameters and running statistics, and the layers that own some. A model is
 * a plain function of ops; the scope only keeps the names (timm's) and remembers what was asked for, so that tracing a
 * model once says everything about its parameters.
 */
export interface ParameterSpec {
  /** timm's name, e.g. `layer1.0.conv1.weight`. */
  readonly name: string;
  /** In our layout: convolutions [kh, kw, c / groups, o], linear layers [in, out]. */
  readonly shape: Shape;
  readonly dtype: 'f32';
  /** How the tensor lies in a PyTorch state dict: OIHW, [out, in], or the same as here. */
  readonly layout: 'conv' | 'linear' | 'same';
  readonly init: Initializer;
  /** Whether weight decay applies: not on norms and biases, nor on any other vector. */
  readonly decay: boolean;
  readonly group: 'backbone' | 'head';
  /** Never trained, whatever a recipe says: a constant of the network that its state dict holds. */
  readonly fixed: boolean;
  /** Fixed values that come from outside, such as embeddings of texts: a fresh head keeps them. */
  readonly given?: true;
  /** Which layer of the network it belongs to, from the input's side: see `ModelScope.nextLayer`. */
  readonly layer: number;
  /** Of position embeddings [1, tokens, c]: which positions they stand for. */
  readonly positions?: PositionGrid | undefined;
  /** Whether it is the weight of a linear layer, beside which adapters can be put; see lora.ts. */
  readonly adaptable: boolean;
  /** Of an adapter: what it adapts. */
  readonly adapts?: Adapts | undefined;
}

export interface StatisticSpec {
  /** timm's name, e.g. `bn1.running_mean`. */
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: 'f32';
  readonly initial: number;
  /** Parameters of the norm that it belongs to. */
  readonly norm: readonly string[];
  readonly group: 'backbone' | 'head';
}

/** Names of the arenas that a traced model's variables refer to. */
export const PARAMETERS = 'params';
export const STATISTICS = 'stats';

export interface ScopeOptions {
  readonly mode: 'train' | 'eval';
  /** Two u32 words fed anew each step; needed to train with dropout. */
  readonly dropoutSeed?: Tensor | undefined;
  /**
   * Whether the batch norm with these parameters (by name) goes by its running statistics in training, too, and leaves
   * them as they are. Absent: none does.
   */
  readonly holdsStatistics?: ((norm: readonly string[]) => boolean) | undefined;
  /** The linear layers that have adapters. Absent: none. */
  readonly adapters?: LoraLayers | undefined;
}

/** Where a layer's values start, if not as PyTorch's layers do. */
export interface LayerInitializers {
  readonly weight?: Initializer;
  readonly bias?: Initializer;
}

export interface ConvLayerOptions extends LayerInitializers {
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
}

export class ModelScope {
  readonly parameters: ParameterSpec[] = [];
  readonly statistics: StatisticSpec[] = [];
  /** What this batch says of each running statistic, in training. */
  readonly observed = new Map<string, Tensor>();
  /** Where the network looked. */
  readonly landmarks: Landmarks = { attentions: [] };
  /** Which part of the model is being traced. */
  group: 'backbone' | 'head' = 'backbone';
  #layer = 0;
  #path: string[] = [];
  #dropouts = 0;

  constructor(
    readonly graph: Graph,
    readonly options: ScopeOptions,
  ) {}

  /** Prefixes names and labels with `name`. */
  within<T>(name: string, trace: () => T): T {
    this.#path.push(name);
    try {
      return this.graph.scope(name, trace);
    } finally {
      this.#path.pop();
    }
  }

  /**
   * Begins a layer, as layer-wise learning-rate decay counts them: the stem is layer 0, each residual block the next
   * one (with the downsampling in front of it), and what follows the last block, head included, is the last.
   */
  nextLayer(): void {
    this.#layer++;
  }

  parameter(name: string, shape: Shape, layout: ParameterSpec['layout'], init: Initializer): Tensor {
    return this.#parameter(name, { shape, layout, init, fixed: false });
  }

  /** Values that are drawn once and never trained. */
  fixed(name: string, shape: Shape, init: Initializer): Tensor {
    return this.#parameter(name, { shape, layout: 'same', init, fixed: true });
  }

  /** Values that come from outside and are never trained; drawn where nobody gives them. */
  given(name: string, shape: Shape, layout: ParameterSpec['layout'], init: Initializer): Tensor {
    return this.#parameter(name, { shape, layout, init, fixed: true, given: true });
  }

  /** Tokens, or what is added to tokens: without weight decay, as in timm. @returns [1, tokens, c] */
  embedding(name: string, shape: Shape, init: Initializer, positions?: PositionGrid): Tensor {
    return this.#parameter(name, { shape, layout: 'same', init, fixed: false, decay: false, positions });
  }

  #parameter(
    name: string,
    spec: Pick<ParameterSpec, 'shape' | 'layout' | 'init' | 'fixed' | 'given' | 'positions'> &
      Partial<Pick<ParameterSpec, 'decay' | 'adaptable'>>,
  ): Tensor {
    const decay = spec.shape.length > 1 && !spec.fixed;
    return this.#add({ decay, adaptable: false, ...spec, name: this.#name(name) });
  }

  /** @param spec with its whole name */
  #add(spec: Omit<ParameterSpec, 'dtype' | 'group' | 'layer'>): Tensor {
    this.parameters.push({ ...spec, dtype: 'f32', group: this.group, layer: this.#layer });
    return this.graph.variable(PARAMETERS, spec.name, spec.shape);
  }

  /** A convolution; without bias unless one is asked for. @param x [n, h, w, c] @returns [n, oh, ow, outputs] */
  conv(
    name: string,
    x: Tensor,
    outputs: number,
    kernel: number,
    { stride = 1, padding = 0, groups = 1, weight, bias }: ConvLayerOptions = {},
  ): Tensor {
    return this.within(name, () => {
      const shape = [kernel, kernel, at(x.shape, 3) / groups, outputs];
      const fanOut = kernel * kernel * outputs;
      const w = this.parameter('weight', shape, 'conv', weight ?? { kind: 'kaimingNormal', fanOut });
      const options = { stride, padding, groups };
      if (!bias) return conv2d(x, w, options);
      const b = this.parameter('bias', [outputs], 'same', bias);
      return this.graph.composite({ name: 'conv2d', inputs: [x, w, b], attributes: options }, () =>
        add(conv2d(x, w, options), b),
      );
    });
  }

  /** Batch normalisation: by the batch in training, by the running statistics in evaluation or where they are held. @param x [..., c] */
  batchNorm(name: string, x: Tensor): Tensor {
    const epsilon = 1e-5;
    return this.within(name, () => {
      const shape = [at(x.shape, -1)];
      const gamma = this.parameter('weight', shape, 'same', ONES);
      const beta = this.parameter('bias', shape, 'same', ZEROS);
      const norm = [this.#name('weight'), this.#name('bias')];
      const runningMean = this.#statistic('running_mean', shape, 0, norm);
      const runningVariance = this.#statistic('running_var', shape, 1, norm);
      if (this.options.mode === 'eval' || this.options.holdsStatistics?.(norm)) {
        const running = { mean: runningMean, variance: runningVariance, epsilon };
        return batchNormInference(x, gamma, beta, running);
      }
      const { y, mean, variance } = batchNorm(x, gamma, beta, { epsilon });
      this.observed.set(this.#name('running_mean'), mean);
      this.observed.set(this.#name('running_var'), variance);
      return y;
    });
  }

  /** Layer normalisation over the channels. @param x [..., c] */
  layerNorm(name: string, x: Tensor, { epsilon = 1e-6 }: { epsilon?: number } = {}): Tensor {
    return this.within(name, () => {
      const shape = [at(x.shape, -1)];
      const gamma = this.parameter('weight', shape, 'same', ONES);
      const beta = this.parameter('bias', shape, 'same', ZEROS);
      return layerNorm(x, gamma, beta, { epsilon });
    });
  }

  /** Channels weighed by their response to the whole image (ConvNeXt V2). @param x [n, h, w, c] */
  globalResponseNorm(name: string, x: Tensor): Tensor {
    return this.within(name, () => {
      const shape = [at(x.shape, 3)];
      const gamma = this.parameter('weight', shape, 'same', ZEROS);
      const beta = this.parameter('bias', shape, 'same', ZEROS);
      return globalResponseNorm(x, gamma, beta, { epsilon: 1e-6 });
    });
  }

  /** @param x [..., in] @returns [..., outputs] */
  linear(name: string, x: Tensor, outputs: number, init: LayerInitializers = {}): Tensor {
    return this.within(name, () => this.linearOf('weight', 'bias', x, outputs, init));
  }

  /** The same where a state dict names weight and bias in a way of its own. */
  linearOf(
    weightName: string,
    biasName: string,
    x: Tensor,
    outputs: number,
    init: LayerInitializers = {},
  ): Tensor {
    const fanIn = at(x.shape, -1);
    const inputs: Initializer = { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) };
    const { weight = inputs, bias = inputs } = init;
    const shape = [fanIn, outputs];
    const w = this.#linearWeight(weightName, shape, weight);
    const b = this.parameter(biasName, [outputs], 'same', bias);
    const y = this.graph.composite({ name: 'linear', inputs: [x, w, b], attributes: {} }, () =>
      add(product(x, w), b),
    );
    return this.#adapted(y, x, { name: this.#name(weightName), shape });
  }

  /** A linear layer without bias. @param x [..., in] @returns [..., outputs] */
  linearWithoutBias(name: string, x: Tensor, outputs: number): Tensor {
    return this.within(name, () => {
      const shape = [at(x.shape, -1), outputs];
      const w = this.#linearWeight('weight', shape, { kind: 'uniform', bound: 1 / Math.sqrt(at(shape, 0)) });
      return this.#adapted(product(x, w), x, { name: this.#name('weight'), shape });
    });
  }

  #linearWeight(name: string, shape: Shape, init: Initializer): Tensor {
    return this.#parameter(name, { shape, layout: 'linear', init, fixed: false, adaptable: true });
  }

  /** y = x·W + …, and (alpha / rank)·(x·A)·B beside it where the weight has an adapter. */
  #adapted(y: Tensor, x: Tensor, weight: { readonly name: string; readonly shape: Shape }): Tensor {
    const lora = this.options.adapters?.get(weight.name);
    if (!lora) return y;
    const [a, b] = adapterSpecs(weight, lora);
    return this.graph.scope('lora', () =>
      add(y, product(mul(product(x, this.#add(a)), lora.alpha / lora.rank), this.#add(b))),
    );
  }

  /** A linear layer without bias, whose weight a state dict holds as [in, out]. @param x [..., in] @returns [..., outputs] */
  projection(name: string, x: Tensor, outputs: number, init: Initializer): Tensor {
    return product(x, this.parameter(name, [at(x.shape, -1), outputs], 'same', init));
  }

  /** Nothing in evaluation. Each dropout of a model draws from a stream of its own. */
  dropout(x: Tensor, p: number): Tensor {
    const stream = this.#dropouts++;
    const { mode, dropoutSeed } = this.options;
    if (mode === 'eval' || p === 0) return x;
    if (!dropoutSeed) throw new ShapeError('training with dropout needs a dropoutSeed');
    return dropout(x, dropoutSeed, { p, stream });
  }

  /** Dropout of whole channels, each image's own: what `dropout` of the pooled features would do. @param map [n, h, w, c] */
  channelDropout(map: Tensor, p: number): Tensor {
    return this.#dropWhole(map, [at(map.shape, 0), 1, 1, at(map.shape, 3)], p);
  }

  /**
   * Stochastic depth: in training, the branch `x` of a residual block is left out for a share `p` of the images and
   * scaled by 1/(1 − p) for the others (timm's DropPath). @param x [n, ...]
   */
  dropPath(x: Tensor, p: number): Tensor {
    return this.#dropWhole(
      x,
      x.shape.map((size, axis) => (axis === 0 ? size : 1)),
      p,
    );
  }

  /** One draw for all elements of x that the mask, of `shape`, is repeated to. */
  #dropWhole(x: Tensor, shape: Shape, p: number): Tensor {
    if (this.options.mode === 'eval' || p === 0) return x;
    const ones = x.graph.constant(new Float32Array(elementCount(shape)).fill(1), shape);
    return mul(x, this.dropout(ones, p));
  }

  #statistic(name: string, shape: Shape, initial: number, norm: readonly string[]): Tensor {
    const full = this.#name(name);
    this.statistics.push({ name: full, shape, dtype: 'f32', initial, group: this.group, norm });
    return this.graph.variable(STATISTICS, full, shape);
  }

  #name(name: string): string {
    return [...this.#path, name].join('.');
  }
}

/** x·W over the last axis. A map stays a map, as the kernels of a 1×1 convolution see it. */
function product(x: Tensor, w: Tensor): Tensor {
  const [inputs, outputs] = [at(w.shape, 0), at(w.shape, 1)];
  if (x.shape.length === 2) return matmul(x, w);
  if (x.shape.length === 4) return conv2d(x, reshape(w, [1, 1, inputs, outputs]));
  return reshape(matmul(reshape(x, [-1, inputs]), w), [...x.shape.slice(0, -1), outputs]);
}
