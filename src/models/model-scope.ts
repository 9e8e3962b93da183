import { ShapeError } from '../engine/errors.js';
import { at, type Graph, type Shape, type Tensor } from '../engine/tensor.js';
import { batchNorm, batchNormInference } from '../kernels/batch-norm.js';
import { conv2d, matmul } from '../kernels/conv.js';
import { add, dropout, mul } from '../kernels/pointwise-table.js';

/**
 * What a model function works with: named parameters and running statistics, and the layers that own some. A model is
 * a plain function of ops; the scope only keeps the names (timm's) and remembers what was asked for, so that tracing a
 * model once says everything about its parameters.
 */
export type Initializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  /** Normal with variance 2 / fan-out (He et al. 2015, "fan_out" as PyTorch's ResNets). */
  | { readonly kind: 'kaimingNormal'; readonly fanOut: number }
  /** Uniform in ±1/√fan-in: PyTorch's default for linear layers. */
  | { readonly kind: 'uniform'; readonly fanIn: number };

export interface ParameterSpec {
  /** timm's name, e.g. `layer1.0.conv1.weight`. */
  readonly name: string;
  /** In our layout: convolutions [kh, kw, c / groups, o], linear layers [in, out]. */
  readonly shape: Shape;
  readonly dtype: 'f32';
  /** How the tensor lies in a PyTorch state dict: OIHW, [out, in], or the same as here. */
  readonly layout: 'conv' | 'linear' | 'vector';
  readonly init: Initializer;
  /** Whether weight decay applies: not on norms and biases. */
  readonly decay: boolean;
  readonly group: 'backbone' | 'head';
}

export interface StatisticSpec {
  /** timm's name, e.g. `bn1.running_mean`. */
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: 'f32';
  readonly initial: number;
}

/** Names of the arenas that a traced model's variables refer to. */
export const PARAMETERS = 'params';
export const STATISTICS = 'stats';

export interface ScopeOptions {
  readonly mode: 'train' | 'eval';
  /** Two u32 words fed anew each step; needed to train with dropout. */
  readonly dropoutSeed?: Tensor | undefined;
}

export class ModelScope {
  readonly parameters: ParameterSpec[] = [];
  readonly statistics: StatisticSpec[] = [];
  /** What this batch says of each running statistic, in training. */
  readonly observed = new Map<string, Tensor>();
  /** Which part of the model is being traced. */
  group: 'backbone' | 'head' = 'backbone';
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

  parameter(name: string, shape: Shape, layout: ParameterSpec['layout'], init: Initializer): Tensor {
    const full = this.#name(name);
    this.parameters.push({
      name: full,
      shape,
      dtype: 'f32',
      layout,
      init,
      decay: layout !== 'vector',
      group: this.group,
    });
    return this.graph.variable(PARAMETERS, full, shape);
  }

  /** A convolution without bias. @param x [n, h, w, c] @returns [n, oh, ow, outputs] */
  conv(
    name: string,
    x: Tensor,
    outputs: number,
    kernel: number,
    { stride = 1, padding = 0 }: { stride?: number; padding?: number } = {},
  ): Tensor {
    return this.within(name, () => {
      const shape = [kernel, kernel, at(x.shape, 3), outputs];
      const fanOut = kernel * kernel * outputs;
      const weight = this.parameter('weight', shape, 'conv', { kind: 'kaimingNormal', fanOut });
      return conv2d(x, weight, { stride, padding });
    });
  }

  /** Batch normalisation: by the batch in training, by the running statistics in evaluation. @param x [..., c] */
  batchNorm(name: string, x: Tensor): Tensor {
    const epsilon = 1e-5;
    return this.within(name, () => {
      const shape = [at(x.shape, -1)];
      const gamma = this.parameter('weight', shape, 'vector', { kind: 'ones' });
      const beta = this.parameter('bias', shape, 'vector', { kind: 'zeros' });
      const runningMean = this.#statistic('running_mean', shape, 0);
      const runningVariance = this.#statistic('running_var', shape, 1);
      if (this.options.mode === 'eval') {
        const running = { mean: runningMean, variance: runningVariance, epsilon };
        return batchNormInference(x, gamma, beta, running);
      }
      const { y, mean, variance, count } = batchNorm(x, gamma, beta, { epsilon });
      this.observed.set(this.#name('running_mean'), mean);
      // PyTorch's running variance is the unbiased one.
      this.observed.set(this.#name('running_var'), mul(variance, count / (count - 1)));
      return y;
    });
  }

  /** @param x [n, in] @returns [n, outputs] */
  linear(name: string, x: Tensor, outputs: number): Tensor {
    return this.within(name, () => {
      const fanIn = at(x.shape, 1);
      const weight = this.parameter('weight', [fanIn, outputs], 'linear', { kind: 'uniform', fanIn });
      const bias = this.parameter('bias', [outputs], 'vector', { kind: 'uniform', fanIn });
      return add(matmul(x, weight), bias);
    });
  }

  /** Nothing in evaluation. Each dropout of a model draws from a stream of its own. */
  dropout(x: Tensor, p: number): Tensor {
    const stream = this.#dropouts++;
    const { mode, dropoutSeed } = this.options;
    if (mode === 'eval' || p === 0) return x;
    if (!dropoutSeed) throw new ShapeError('training with dropout needs a dropoutSeed');
    return dropout(x, dropoutSeed, { p, stream });
  }

  #statistic(name: string, shape: Shape, initial: number): Tensor {
    const full = this.#name(name);
    this.statistics.push({ name: full, shape, dtype: 'f32', initial });
    return this.graph.variable(STATISTICS, full, shape);
  }

  #name(name: string): string {
    return [...this.#path, name].join('.');
  }
}
