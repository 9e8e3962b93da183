import { at, type Tensor } from '../../engine/graph/tensor.js';
import { selfAttention } from '../../kernels/attention/attention.js';
import { quickGelu } from '../../kernels/pointwise/activations.js';
import { add, gelu, mul } from '../../kernels/pointwise/pointwise-table.js';
import { type Initializer, ZEROS } from '../initializer.js';
import type { LayerInitializers, ModelScope } from '../model-scope.js';

/**
 * A pre-norm transformer block (Vaswani et al. 2017; norm before each branch as in Radford et al. 2019 and Dosovitskiy et
 * al., arXiv 2010.11929):
 *
 *     x ← x + attention(norm(x))          x ← x + perceptron(norm(x))
 *
 * The blocks of all transformers here differ in names and in the few options below.
 */
export interface BlockOptions {
  readonly names: BlockNames;
  readonly heads: number;
  /** Channels inside the perceptron. */
  readonly hidden: number;
  readonly activation: Activation;
  /** Of the norms. */
  readonly epsilon: number;
  /** Token i sees tokens 0 … i only. */
  readonly causal?: boolean;
  /** Where given, each branch is scaled channel by channel, from this value on (LayerScale, arXiv 2103.17239). */
  readonly layerScale?: number;
  /** Of stochastic depth; see `ModelScope.dropPath`. */
  readonly dropRate?: number;
  readonly initial?: BlockInitializers;
}

export interface BlockInitializers {
  /** Of the layer that gives queries, keys and values; of the one behind the attention; of the perceptron's two. */
  readonly qkv: Initializer;
  readonly output: Initializer;
  readonly fc1: LayerInitializers;
  readonly fc2: LayerInitializers;
}

/** Names in the state dicts of one library, all relative to the block. */
export interface BlockNames {
  readonly norm1: string;
  readonly qkvWeight: string;
  readonly qkvBias: string;
  readonly output: string;
  readonly scale1: string;
  readonly norm2: string;
  readonly fc1: string;
  readonly fc2: string;
  readonly scale2: string;
}

export const TIMM_BLOCK: BlockNames = {
  norm1: 'norm1',
  qkvWeight: 'attn.qkv.weight',
  qkvBias: 'attn.qkv.bias',
  output: 'attn.proj',
  scale1: 'ls1.gamma',
  norm2: 'norm2',
  fc1: 'mlp.fc1',
  fc2: 'mlp.fc2',
  scale2: 'ls2.gamma',
};

export const OPEN_CLIP_BLOCK: BlockNames = {
  norm1: 'ln_1',
  qkvWeight: 'attn.in_proj_weight',
  qkvBias: 'attn.in_proj_bias',
  output: 'attn.out_proj',
  scale1: 'ls_1.gamma',
  norm2: 'ln_2',
  fc1: 'mlp.c_fc',
  fc2: 'mlp.c_proj',
  scale2: 'ls_2.gamma',
};

/** `gelu`: exact, x·Φ(x). */
export type Activation = 'gelu' | 'quick_gelu';

const ACTIVATIONS: Readonly<Record<Activation, (x: Tensor) => Tensor>> = { gelu, quick_gelu: quickGelu };

/** @param x [n, tokens, width] @returns the same shape */
export function transformerBlock(scope: ModelScope, x: Tensor, options: BlockOptions): Tensor {
  const { names, heads, hidden, activation, epsilon, causal = false, dropRate = 0, initial } = options;
  const width = at(x.shape, -1);
  const branch = (y: Tensor, name: string) => scope.dropPath(scaled(scope, y, name, options), dropRate);

  const reads = scope.layerNorm(names.norm1, x, { epsilon });
  const packed = qkv(scope, reads, names, initial?.qkv);
  scope.landmarks.attentions.push({ reads, packed, heads });
  const attended = scope.linear(names.output, selfAttention(packed, { heads, causal }), width, {
    ...(initial && { weight: initial.output }),
    bias: ZEROS,
  });
  const between = add(x, branch(attended, names.scale1));

  const normalized = scope.layerNorm(names.norm2, between, { epsilon });
  const inside = ACTIVATIONS[activation](scope.linear(names.fc1, normalized, hidden, initial?.fc1));
  return add(between, branch(scope.linear(names.fc2, inside, width, initial?.fc2), names.scale2));
}

/** Queries, keys and values of all heads in one product. @returns [n, tokens, 3 · width] */
function qkv(scope: ModelScope, x: Tensor, names: BlockNames, initial?: Initializer): Tensor {
  const width = at(x.shape, -1);
  return scope.linearOf(names.qkvWeight, names.qkvBias, x, 3 * width, {
    ...(initial && { weight: initial }),
    bias: ZEROS,
  });
}

function scaled(scope: ModelScope, x: Tensor, name: string, { layerScale }: BlockOptions): Tensor {
  if (layerScale === undefined) return x;
  return mul(x, scope.parameter(name, [at(x.shape, -1)], 'same', { kind: 'constant', value: layerScale }));
}
