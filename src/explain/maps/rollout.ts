import { at, type Tensor } from '../../engine/graph/tensor.js';
import { add, mul } from '../../kernels/pointwise/pointwise-table.js';
import { bmm } from '../../kernels/product/bmm.js';
import { mean } from '../../kernels/reduce/reduce.js';
import { softmax } from '../../kernels/reduce/softmax.js';
import { permute, slice } from '../../kernels/shape/movement.js';
import { reshape } from '../../kernels/shape/reshape.js';
import type { BlockAttention } from '../../models/landmarks.js';
import type { TracedModel } from '../../models/model.js';
import { ExplainError } from '../explain-error.js';

/** The share of a token that a block's residual passes on. */
const RESIDUAL = 0.5;

/**
 * Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928, section 3): with A_l the attention of block l, heads averaged,
 *
 *     R = Â_L ··· Â_2 Â_1          Â = ½ A + ½ I
 *
 * The map is the class token's row of R, or the mean of the patches' rows where the head reads patches. A row vector goes
 * through the product from the left, so that no product of whole matrices is needed.
 * @param reads what the head reads @returns [n, rows, columns]: shares of the patches, what other tokens keep is missing
 */
export function rollout({ landmarks }: TracedModel, reads: 'features' | 'map'): Tensor {
  const { attentions, places } = landmarks;
  const last = attentions.at(-1);
  if (!last || !places) {
    throw new ExplainError(
      'rollout: this network has no attention among places; vision transformers have. Take grad-cam, which any network allows.',
    );
  }
  const { rows, columns } = places.grid;
  const [n, tokens] = last.packed.shape as [number, number];
  const patches = rows * columns;
  let row = startRow(last.packed, { tokens, patches, reads });
  for (const block of attentions.toReversed()) {
    row = add(mul(bmm(row, meanAttention(block)), 1 - RESIDUAL), mul(row, RESIDUAL));
  }
  return reshape(slice(row, [0, 0, tokens - patches], [n, 1, patches]), [n, rows, columns]);
}

/** [n, 1, tokens]: the class token, which comes first, or every patch alike. */
function startRow(
  { graph, shape }: Tensor,
  { tokens, patches, reads }: { tokens: number; patches: number; reads: 'features' | 'map' },
): Tensor {
  const n = at(shape, 0);
  const one = new Float32Array(tokens);
  if (reads === 'features') one[0] = 1;
  else one.fill(1 / patches, tokens - patches);
  const all = new Float32Array(n * tokens);
  for (let image = 0; image < n; image++) all.set(one, image * tokens);
  return graph.constant(all, [n, 1, tokens]);
}

/** softmax(QKᵀ / √e), the mean of the heads: [n, tokens, tokens]. */
function meanAttention({ packed, heads }: BlockAttention): Tensor {
  const [n, tokens, channels] = packed.shape as [number, number, number];
  const width = channels / 3;
  const each = width / heads;
  const part = (number: number) => {
    const third = slice(packed, [0, 0, number * width], [n, tokens, width]);
    const split = permute(reshape(third, [n, tokens, heads, each]), [0, 2, 1, 3]);
    return reshape(split, [n * heads, tokens, each]);
  };
  const scores = mul(bmm(part(0), part(1), { transposeB: true }), 1 / Math.sqrt(each));
  return mean(reshape(softmax(scores), [n, heads, tokens, tokens]), [1]);
}
