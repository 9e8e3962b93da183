import { z } from 'zod';
import { at, type Tensor } from '../../engine/graph/tensor.js';
import { matmul } from '../../kernels/conv/conv.js';
import { l2Normalize } from '../../kernels/norm/l2-normalize.js';
import { exp, fullLike, gelu, minimum, mul } from '../../kernels/pointwise/pointwise-table.js';
import type { ModelScope } from '../model-scope.js';
import { defineHead } from './head.js';

/** Of a scale e^t: CLIP's start, and where it stops it. */
const INITIAL_SCALE = Math.log(1 / 0.07);
const LARGEST_SCALE = Math.log(100);

/** The embeddings that classes are compared by, [classes, d] in a state dict. */
export const CLASS_EMBEDDINGS = 'head.class_embeddings';

/**
 * An embedding of the image beside embeddings of the classes, as in CLIP (Radford et al., arXiv 2103.00020): logits are
 * cosines times a learned scale,
 *
 *     z_c = e^t · cos(e, E_c)        e = P·features, or a perceptron of them
 *
 * The class embeddings E are parameters like any other: learned where nothing is known of the classes; or a text
 * encoder's, frozen, so that images learn to lie near them and classes can be named afterwards that nobody trained.
 * Layers are named as in open_clip's image towers.
 */
export const projection = defineHead({
  name: 'projection',
  summary: 'cosines between an embedding of the image and those of the classes',
  source: 'Radford et al. 2021, arXiv 2103.00020',
  options: z.strictObject({
    /** Of the embeddings. */
    dims: z.int().min(1).max(16384).default(512),
    /** Channels inside a perceptron of two layers; 0: one linear layer. */
    hidden: z.int().min(0).max(32768).default(0),
  }),
  reads: 'features',
  trace(scope, features, { dims, hidden }, { classes }) {
    const scale = scope.parameter('logit_scale', [1], 'same', { kind: 'constant', value: INITIAL_SCALE });
    return scope.within('head', () => {
      const projected =
        hidden === 0
          ? linearWithoutBias(scope, 'proj', features, dims)
          : scope.within('mlp', () =>
              linearWithoutBias(scope, 'fc2', gelu(scope.linear('fc1', features, hidden)), dims),
            );
      const embedding = l2Normalize(projected);
      const of = scope.parameter('class_embeddings', [dims, classes], 'linear', {
        kind: 'normal',
        deviation: dims ** -0.5,
      });
      const cosines = matmul(embedding, l2Normalize(of, 0));
      return { logits: mul(cosines, exp(minimum(scale, fullLike(scale, LARGEST_SCALE)))), embedding };
    });
  },
});

function linearWithoutBias(scope: ModelScope, name: string, x: Tensor, outputs: number): Tensor {
  return scope.within(name, () => {
    const inputs = at(x.shape, -1);
    const bound = 1 / Math.sqrt(inputs);
    return matmul(x, scope.parameter('weight', [inputs, outputs], 'linear', { kind: 'uniform', bound }));
  });
}
