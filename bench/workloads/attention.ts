import { at, type Tensor } from '#src/engine/graph/tensor.js';
import { attention } from '#src/kernels/attention/attention.js';
import { grad } from '#src/kernels/common/grad.js';
import { add, mul } from '#src/kernels/pointwise/pointwise-table.js';
import { bmm } from '#src/kernels/product/bmm.js';
import { softmax } from '#src/kernels/reduce/softmax.js';
import { permute } from '#src/kernels/shape/movement.js';
import { reshape } from '#src/kernels/shape/reshape.js';
import type { Jax, JaxArray } from '../contenders/jax.js';
import type { Tf, TfTensor } from '../contenders/tfjs.js';
import type { TensorForm } from '../entrant.js';
import { type TensorOperation, tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/**
 * Attention as it stands in a transformer: from queries, keys and values as linear layers give them, [n, tokens, heads ·
 * width], to a result of the same shape. All others compute softmax(scale · QKᵀ)·V by products of matrices, for which they
 * put the heads in front of the tokens, and store the weights of all pairs of tokens.
 */
export interface AttentionSizes {
  readonly n: number;
  readonly heads: number;
  readonly tokens: number;
  /** Of a head. */
  readonly width: number;
  /** Token i sees tokens 0 … i only. */
  readonly causal?: boolean;
}

const LAYERS: readonly (AttentionSizes & { readonly of: string })[] = [
  { of: 'ViT-B/32', n: 16, heads: 12, tokens: 50, width: 64 },
  { of: 'text tower of ViT-L/14', n: 16, heads: 12, tokens: 77, width: 64, causal: true },
  { of: 'ViT-L/14', n: 4, heads: 16, tokens: 257, width: 64 },
  { of: 'a long sequence', n: 1, heads: 8, tokens: 1024, width: 64 },
];

export const attentions: readonly Workload[] = LAYERS.flatMap((layer) => {
  const { of, n, heads, tokens, width, causal } = layer;
  const rows: TensorForm = { shape: [n, tokens, heads * width] };
  const mask: readonly TensorForm[] = causal ? [{ shape: [tokens, tokens], fill: 'causal' }] : [];
  const product = (2 * n * heads * tokens ** 2 * width) / (causal ? 2 : 1);
  const sizes = [n, heads, tokens, width];
  const shared = {
    name: `attention${causal ? '-causal' : ''}-${sizes.join('x')}`,
    shape: `${sizes.join('×')}, ${of}`,
  };
  return [
    tensorOperation({
      ...shared,
      ...forward(layer),
      halves: true,
      direction: 'forward',
      operands: [rows, rows, rows, ...mask],
      results: [rows],
      flops: 2 * product,
    }),
    tensorOperation({
      ...shared,
      ...withGradients(layer),
      halves: true,
      direction: 'step',
      operands: [rows, rows, rows, rows, ...mask],
      results: [rows, rows, rows, rows],
      // the gradient of each of the two products is two products
      flops: 6 * product,
    }),
  ];
});

type Ways = Pick<TensorOperation, 'tailray' | 'unfused' | 'tfjs' | 'jax' | 'pytorch'>;

/** From q, k, v, and the mask where there is one. */
function forward(sizes: AttentionSizes): Ways {
  return {
    tailray: (x) => [fusedAttention(three(x), sizes)],
    unfused: (x) => [unfusedAttention(three(x), sizes, x[3])],
    tfjs: (tf, x) => [tfjsAttention(tf, three(x), sizes, x[3])],
    jax: (jax, x) => [jaxAttention(jax, three(x), sizes, x[3])],
    pytorch: `(${torchAttention(sizes, 'x3')})(x0, x1, x2)`,
  };
}

/** From q, k, v, dy, and the mask where there is one, to y, dq, dk, dv. */
function withGradients(sizes: AttentionSizes): Ways {
  return {
    tailray: (x) => traced(x, (qkv) => fusedAttention(qkv, sizes)),
    unfused: (x) => traced(x, (qkv) => unfusedAttention(qkv, sizes, x[4])),
    tfjs: (tf, x) => {
      const qkv = three(x);
      const { value, grads } = tf
        .engine()
        .gradients(() => tfjsAttention(tf, qkv, sizes, x[4]), qkv, at(x, 3));
      return [value, ...grads];
    },
    jax: (jax, x) => {
      const [y, pull] = jax.vjp((...qkv) => jaxAttention(jax, three(qkv), sizes, x[4]), three(x));
      return [y, ...pull(at(x, 3))];
    },
    pytorch: `(lambda y, slopes: [y, *slopes])(*torch.autograd.functional.vjp(${torchAttention(sizes, 'x4')}, (x0, x1, x2), x3))`,
  };
}

type Three<T> = readonly [query: T, key: T, value: T];

function three<T>(operands: readonly T[]): Three<T> {
  return [at(operands, 0), at(operands, 1), at(operands, 2)];
}

function traced(x: readonly Tensor[], of: (qkv: Three<Tensor>) => Tensor): Tensor[] {
  const qkv = three(x);
  const y = of(qkv);
  return [y, ...grad(y, qkv, at(x, 3))];
}

export function fusedAttention([q, k, v]: Three<Tensor>, { heads, causal = false }: AttentionSizes): Tensor {
  return attention(q, k, v, { heads, causal });
}

/** The same from plain ops. @param mask [tokens, tokens], added to the scores */
export function unfusedAttention(
  [q, k, v]: Three<Tensor>,
  { n, heads, tokens, width }: AttentionSizes,
  mask?: Tensor,
): Tensor {
  const split = (x: Tensor) =>
    reshape(permute(reshape(x, [n, tokens, heads, width]), [0, 2, 1, 3]), [n * heads, tokens, width]);
  const scores = mul(bmm(split(q), split(k), { transposeB: true }), width ** -0.5);
  const y = bmm(softmax(mask ? add(scores, mask) : scores), split(v));
  return reshape(permute(reshape(y, [n, heads, tokens, width]), [0, 2, 1, 3]), [n, tokens, heads * width]);
}

function tfjsAttention(
  tf: Tf,
  [q, k, v]: Three<TfTensor>,
  { n, heads, tokens, width }: AttentionSizes,
  mask?: TfTensor,
): TfTensor {
  const split = (x: TfTensor) => tf.transpose(tf.reshape(x, [n, tokens, heads, width]), [0, 2, 1, 3]);
  const scores = tf.mul(tf.matMul(split(q), split(k), false, true), width ** -0.5);
  const y = tf.matMul(tf.softmax(mask ? tf.add(scores, mask) : scores), split(v));
  return tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [n, tokens, heads * width]);
}

/** Its own function for this asks for a newer node than tailray does. */
function jaxAttention(
  { nn, numpy }: Jax,
  [q, k, v]: Three<JaxArray>,
  { n, heads, tokens, width }: AttentionSizes,
  mask?: JaxArray,
): JaxArray {
  const split = (x: JaxArray, axes: readonly number[]) =>
    numpy.transpose(x.reshape([n, tokens, heads, width]), axes);
  const products = numpy.matmul(split(q, [0, 2, 1, 3]), split(k, [0, 2, 3, 1]));
  const scores = numpy.multiply(products, width ** -0.5);
  const y = numpy.matmul(nn.softmax(mask ? numpy.add(scores, mask) : scores), split(v, [0, 2, 1, 3]));
  return numpy.transpose(y, [0, 2, 1, 3]).reshape([n, tokens, heads * width]);
}

/** A Python function of q, k and v. @param mask name of the operand that is added to the scores */
function torchAttention({ n, heads, tokens, width, causal }: AttentionSizes, mask: string): string {
  const split = (x: string) => `${x}.view(${n}, ${tokens}, ${heads}, ${width}).transpose(1, 2)`;
  const scores = `${split('q')} @ ${split('k')}.transpose(-1, -2) * ${width ** -0.5}${causal ? ` + ${mask}` : ''}`;
  return `lambda q, k, v: ((${scores}).softmax(-1) @ ${split('v')}).transpose(1, 2).reshape(${n}, ${tokens}, ${heads * width})`;
}
