import { z } from 'zod';
import type { Tensor } from '../../engine/graph/tensor.js';
import { matmul } from '../../kernels/conv/conv.js';
import { l2Normalize } from '../../kernels/norm/l2-normalize.js';
import {
  add,
  broadcastTo,
  exp,
  fullLike,
  gelu,
  minimum,
  mul,
} from '../../kernels/pointwise/pointwise-table.js';
import { permute } from '../../kernels/shape/movement.js';
import { ModelError } from '../model-error.js';
import type { ModelScope } from '../model-scope.js';
import { encodeWords } from '../text/word-encoder.js';
import { type ClassPrompts, defineHead, type HeadPlace, type HeadSettings } from './head.js';

/** Of a scale e^t: CLIP's start, and where it stops it. */
const INITIAL_SCALE = Math.log(1 / 0.07);
const LARGEST_SCALE = Math.log(100);

/** The embeddings that classes are compared by, [classes, d] in a state dict. */
export const CLASS_EMBEDDINGS = 'head.class_embeddings';

const options = z.strictObject({
  /** Of the embeddings. */
  dims: z.int().min(1).max(16384).default(512),
  /** Channels inside a perceptron of two layers; 0: one linear layer. */
  hidden: z.int().min(0).max(32768).default(0),
  /** Whether a learned number is added to all logits, as sigmoid losses want it where most labels are 0. */
  bias: z.boolean().default(false),
  /** Where class embeddings come from; see below. */
  embeddings: z.enum(['learned', 'fixed', 'words']).default('learned'),
  /** Of the encoder of words. */
  buckets: z.int().min(16).max(65536).default(2048),
  wordHidden: z.int().min(1).max(4096).default(128),
});
type Options = z.output<typeof options>;

/**
 * An embedding of the image beside embeddings of the classes, as in CLIP (Radford et al., arXiv 2103.00020): logits are
 * cosines times a learned scale,
 *
 *     z_c = e^t · cos(e, E_c) + b        e = P·features, or a perceptron of them
 *
 * with b only where `bias` says so (SigLIP, Zhai et al., arXiv 2303.15343). The class embeddings E are
 *
 * - `learned`, parameters like any other, where nothing is known of the classes;
 * - `fixed`, a text encoder's, given from outside and never trained;
 * - of `words`: the mean over the prompts of a class of an encoder that is trained along with the images (word-encoder.ts).
 *
 * The last two let images learn to lie near texts, so that findings can be named afterwards that nobody labelled.
 * Layers are named as in open_clip's image towers.
 */
export const projection = defineHead({
  name: 'projection',
  summary: 'cosines between an embedding of the image and those of the classes',
  source: 'Radford et al. 2021, arXiv 2103.00020',
  options,
  reads: 'features',
  trace(scope, features, given, place) {
    const scale = scope.parameter('logit_scale', [1], 'same', { kind: 'constant', value: INITIAL_SCALE });
    const bias = given.bias
      ? scope.parameter('logit_bias', [1], 'same', { kind: 'constant', value: 0 })
      : undefined;
    return scope.within('head', () => {
      const embedding = imageEmbedding(scope, features, given);
      const cosines = matmul(embedding, classEmbeddings(scope, given, place));
      const logits = mul(cosines, exp(minimum(scale, fullLike(scale, LARGEST_SCALE))));
      return { logits: bias ? add(logits, broadcastTo(bias, logits.shape)) : logits, embedding };
    });
  },
});

/** The options of a head's settings, where it is a projection. */
export function projectionOptions({ name, ...given }: HeadSettings): Options | undefined {
  return name === projection.name ? options.parse(given) : undefined;
}

/**
 * Any texts, by the encoder of a head whose class embeddings come of `words`.
 * @returns [texts, dims], each of length 1 @throws ModelError where the head has no such encoder
 */
export function traceTexts(scope: ModelScope, texts: readonly string[], settings: HeadSettings): Tensor {
  const given = projectionOptions(settings);
  if (given?.embeddings !== 'words') throw new ModelError(`the head ${settings.name} reads no texts.`);
  const { dims, buckets, wordHidden: hidden } = given;
  return scope.within('head', () => encodeWords(scope, texts, { dims, buckets, hidden }));
}

/** [n, dims] */
function imageEmbedding(scope: ModelScope, features: Tensor, { dims, hidden }: Options): Tensor {
  if (hidden === 0) return l2Normalize(scope.linearWithoutBias('proj', features, dims));
  const projected = scope.within('mlp', () =>
    scope.linearWithoutBias('fc2', gelu(scope.linear('fc1', features, hidden)), dims),
  );
  return l2Normalize(projected);
}

/** [dims, classes], each of length 1. */
function classEmbeddings(scope: ModelScope, given: Options, { classes, prompts }: HeadPlace): Tensor {
  const { dims, buckets, wordHidden: hidden } = given;
  const shape = [dims, classes];
  const init = { kind: 'normal', deviation: dims ** -0.5 } as const;
  switch (given.embeddings) {
    case 'learned':
      return l2Normalize(scope.parameter('class_embeddings', shape, 'linear', init), 0);
    case 'fixed':
      return l2Normalize(scope.given('class_embeddings', shape, 'linear', init), 0);
    case 'words': {
      const texts = promptsOf(classes, prompts);
      const embedded = encodeWords(scope, texts.flat(), { dims, buckets, hidden });
      const means = matmul(meanOver(scope, texts), embedded);
      return permute(l2Normalize(means), [1, 0]);
    }
  }
}

/** @throws ModelError unless every class has a prompt */
function promptsOf(classes: number, prompts: HeadPlace['prompts']): ClassPrompts {
  if (prompts?.length === classes && prompts.every((own) => own.length > 0)) return prompts;
  throw new ModelError(
    `a projection head whose class embeddings come of words needs prompts for each of the ${classes} classes: ` +
      'say zeroshot.prompts in a recipe, or prompts in code.',
  );
}

/** [classes, prompts]: takes the mean over the rows of each class. */
function meanOver({ graph }: ModelScope, prompts: ClassPrompts): Tensor {
  const count = prompts.reduce((sum, own) => sum + own.length, 0);
  const weights = new Float32Array(prompts.length * count);
  let first = 0;
  for (const [c, own] of prompts.entries()) {
    weights.fill(1 / own.length, c * count + first, c * count + first + own.length);
    first += own.length;
  }
  return graph.constant(weights, [prompts.length, count]);
}
