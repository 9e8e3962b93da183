import type { Tensor } from '../../engine/graph/tensor.js';
import { mul } from '../../kernels/pointwise/pointwise-table.js';
import { sum } from '../../kernels/reduce/reduce.js';
import { reshape } from '../../kernels/shape/reshape.js';
import type { TracedModel } from '../../models/model.js';
import { ExplainError } from '../explain-error.js';

/**
 * Where a head of class-specific residual attention looks for a class (Zhu & Wu 2021, arXiv 2108.02456): its softmax over
 * the places, the mean of its heads where it has several.
 * @param select [n, classes]: which class of each image, as 1 among zeros
 * @returns [n, rows, columns], the values of an image adding up to 1
 */
export function classAttention({ landmarks, logits }: TracedModel, select: Tensor): Tensor {
  const { classAttention: attention, places } = landmarks;
  if (!attention || !places) {
    throw new ExplainError(
      'this network’s head attends to no places class by class; csra and csra_original do. Take grad-cam, which any head allows.',
    );
  }
  const [n, classes] = logits.shape as [number, number];
  const chosen = sum(mul(attention(), reshape(select, [n, 1, classes])), [2]);
  return reshape(chosen, [n, places.grid.rows, places.grid.columns]);
}
