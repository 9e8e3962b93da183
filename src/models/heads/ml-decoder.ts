import { z } from 'zod';
import { at, type Tensor } from '../../engine/graph/tensor.js';
import { conv2d } from '../../kernels/conv/conv.js';
import { add, broadcastTo, relu } from '../../kernels/pointwise/pointwise-table.js';
import { scaledDotProductAttention } from '../../kernels/product/attention.js';
import { bmm } from '../../kernels/product/bmm.js';
import { permute, slice } from '../../kernels/shape/movement.js';
import { reshape } from '../../kernels/shape/reshape.js';
import { type Initializer, xavierUniform, ZEROS } from '../initializer.js';
import type { ModelScope } from '../model-scope.js';
import { defineHead } from './head.js';

const options = z
  .strictObject({
    /** At most; there are never more than classes. A query that stands for several classes ends in a layer of its own. */
    queries: z.int().min(1).max(1000).default(100),
    /** d: channels of the decoder. */
    width: z.int().min(1).max(8192).default(768),
    /** Of the attention; they share the width. */
    heads: z.int().min(1).max(64).default(8),
    /** Channels inside the perceptron. */
    feedForward: z.int().min(1).max(32768).default(2048),
    dropout: z.number().min(0).lt(1).default(0.1),
  })
  .refine(({ width, heads }) => width % heads === 0, { path: ['heads'], message: 'must divide the width' });

type Options = z.output<typeof options>;

/**
 * ML-Decoder (Ridnik et al., arXiv 2111.12933): fixed queries, one for each group of classes, attend to the positions of
 * the map in one transformer decoder layer. Self-attention among the queries is left out, since they are always the same
 * (section 3.2); a layer of its own for each query gives the logits of its group (eq. 6).
 *
 * Form, defaults and names are those of the authors' code (github.com/Alibaba-MIIL/ML_Decoder), which puts the head where
 * the network has its classifier: `fc`, or `head`.
 */
export const mlDecoder = defineHead({
  name: 'ml_decoder',
  summary: 'queries that attend to the map in one decoder layer',
  source: 'Ridnik et al. 2021, arXiv 2111.12933',
  options,
  reads: 'map',
  usesDropout: ({ dropout }) => dropout > 0,
  trace(scope, map, given, { classes, classifier }) {
    const [module = ''] = classifier.name.split('.');
    return scope.within(`${module}.decoder`, () => {
      const memory = relu(scope.linear('embed_standart', map, given.width));
      const queries = scope.fixed(
        'query_embed.weight',
        [Math.min(given.queries, classes), given.width],
        // PyTorch's default for an embedding
        { kind: 'normal', deviation: 1 },
      );
      const decoded = scope.within('layers.0', () => decoderLayer(scope, queries, memory, given));
      return { logits: groupLogits(scope, decoded, classes) };
    });
  },
});

/** @param queries [q, d] @param memory [n, h, w, d] @returns [n, 1, q, d] */
function decoderLayer(scope: ModelScope, queries: Tensor, memory: Tensor, given: Options): Tensor {
  const norm = (name: string, x: Tensor) => scope.layerNorm(name, x, { epsilon: 1e-5 });
  const drop = (x: Tensor) => scope.dropout(x, given.dropout);
  // The queries are the same for every image, until dropout makes them differ.
  const images = scope.options.mode === 'train' && given.dropout > 0 ? at(memory.shape, 0) : 1;
  const asked = broadcastTo(queries, [images, 1, ...queries.shape]);
  // What is left of self-attention's residual: without dropout it doubles the queries, and the norm takes that away.
  let x = norm('norm1', add(asked, drop(asked)));
  const attended = scope.within('multihead_attn', () => crossAttention(scope, x, memory, given));
  x = norm('norm2', add(drop(attended), x));
  const hidden = drop(relu(scope.linear('linear1', x, given.feedForward)));
  return norm('norm3', add(drop(scope.linear('linear2', hidden, given.width)), x));
}

/**
 * Attention of several heads as PyTorch's `MultiheadAttention`, whose three projections are one tensor.
 * @param x [n or 1, 1, q, d] @param memory [n, h, w, d] @returns [n, 1, q, d]
 */
function crossAttention(
  scope: ModelScope,
  x: Tensor,
  memory: Tensor,
  { width, heads, dropout }: Options,
): Tensor {
  const weights = scope.parameter(
    'in_proj_weight',
    [width, 3 * width],
    'linear',
    xavierUniform(width, 3 * width),
  );
  const biases = scope.parameter('in_proj_bias', [3 * width], 'same', ZEROS);
  /** By the `number`-th of the projections; [n, heads, positions, d / heads] */
  const project = (number: number, from: Tensor): Tensor => {
    const weight = reshape(slice(weights, [0, number * width], [width, width]), [1, 1, width, width]);
    const projected = add(conv2d(from, weight), slice(biases, [number * width], [width]));
    const split = reshape(projected, [at(from.shape, 0), -1, heads, width / heads]);
    return permute(split, [0, 2, 1, 3]);
  };
  const query = project(0, x);
  const [key, value] = [project(1, memory), project(2, memory)];
  const images = at(memory.shape, 0);
  const each = broadcastTo(query, [images, ...query.shape.slice(1)]);
  const attended = scaledDotProductAttention(each, key, value, {
    dropout: (attention) => scope.dropout(attention, dropout),
  });
  const joined = reshape(permute(attended, [0, 2, 1, 3]), [images, 1, -1, width]);
  return scope.linear('out_proj', joined, width, { bias: ZEROS });
}

/** Each query's own layer gives the logits of its group; the last group may be short. @param x [n, 1, q, d] */
function groupLogits(scope: ModelScope, x: Tensor, classes: number): Tensor {
  const [images, , queries, width] = x.shape as [number, number, number, number];
  const groupSize = Math.ceil(classes / queries);
  // Xavier's normal, with the fans that PyTorch finds in a tensor of this shape
  const initial: Initializer = { kind: 'normal', deviation: Math.sqrt(2 / ((width + queries) * groupSize)) };
  const weights = scope.parameter('duplicate_pooling', [queries, width, groupSize], 'same', initial);
  const bias = scope.parameter('duplicate_pooling_bias', [classes], 'same', ZEROS);
  const byQuery = permute(reshape(x, [images, queries, width]), [1, 0, 2]);
  const grouped = permute(bmm(byQuery, weights), [1, 0, 2]);
  const logits = reshape(grouped, [images, queries * groupSize]);
  return add(slice(logits, [0, 0], [images, classes]), bias);
}
