import type { Tensor } from '../../engine/graph/tensor.js';
import { l2Normalize } from '../../kernels/norm/l2-normalize.js';
import { gelu } from '../../kernels/pointwise/pointwise-table.js';
import { ModelError } from '../model-error.js';
import type { ModelScope } from '../model-scope.js';
import { wordBags } from './word-bags.js';

/** Sizes of a text encoder that is small enough to be trained along with an image model. */
export interface WordEncoderOptions {
  /** Of the embeddings. */
  readonly dims: number;
  /** See word-bags.ts. */
  readonly buckets: number;
  /** Channels between its two layers. */
  readonly hidden: number;
}

/** Rows of buckets that training never meets stay near zero, so that unknown words say little. */
const FIRST_DEVIATION = 0.1;

/**
 * Embeds texts by their words: a perceptron over the bag of each text. The order of words does not count, which suits
 * prompts that name findings, and nothing else.
 * @returns [texts, dims], each of length 1
 * @throws ModelError for a text without a word
 */
export function encodeWords(
  scope: ModelScope,
  texts: readonly string[],
  { dims, buckets, hidden }: WordEncoderOptions,
): Tensor {
  const values = wordBags(texts, buckets);
  for (const [i, text] of texts.entries()) {
    if (values.subarray(i * buckets, (i + 1) * buckets).every((value) => value === 0)) {
      throw new ModelError(`the text ${JSON.stringify(text)} has no word to read.`);
    }
  }
  return scope.within('text', () => {
    const bags = scope.graph.constant(values, [texts.length, buckets]);
    const weight = { kind: 'normal', deviation: FIRST_DEVIATION } as const;
    const words = gelu(scope.linear('fc1', bags, hidden, { weight }));
    return l2Normalize(scope.linearWithoutBias('fc2', words, dims));
  });
}
