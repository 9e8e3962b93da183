import { at, type Tensor } from '../../engine/graph/tensor.js';
import { grad } from '../../kernels/common/grad.js';
import { mul, relu } from '../../kernels/pointwise/pointwise-table.js';
import { mean, sum } from '../../kernels/reduce/reduce.js';
import { slice } from '../../kernels/shape/movement.js';
import { reshape } from '../../kernels/shape/reshape.js';
import type { Places } from '../../models/landmarks.js';
import type { TracedModel } from '../../models/model.js';
import { ExplainError } from '../explain-error.js';

/**
 * Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391, eqs. 1 and 2), for values A of c channels at the places of an image:
 *
 *     w_k = mean over places of ∂z/∂A_k          map = max(0, Σ_k w_k A_k)
 *
 * The slopes are the engine's gradients of the logits by the values, traced into the same graph: the walk goes no further
 * back than to them.
 *
 * Of a linear head on the mean of a map, the sums add up to z without its bias.
 * @param select [n, classes]: which logit z of each image, as 1 among zeros
 * @returns [n, rows, columns]
 */
export function gradCam({ logits, landmarks }: TracedModel, select: Tensor): Tensor {
  const { places } = landmarks;
  if (!places)
    throw new ExplainError('Grad-CAM: this network has no map whose values have a place in the image.');
  const { rows, columns } = places.grid;
  const slopes = at(grad(logits, [places.values], select), 0);
  const values = byPlace(places.values, places);
  const [n, , channels] = values.shape as [number, number, number];
  const weights = reshape(mean(byPlace(slopes, places), [1]), [n, 1, channels]);
  return relu(reshape(sum(mul(values, weights), [2]), [n, rows, columns]));
}

/** [n, places, c], without tokens that have no place. */
function byPlace(x: Tensor, { grid: { prefix, rows, columns } }: Places): Tensor {
  const [n, channels] = [at(x.shape, 0), at(x.shape, -1)];
  const tokens = reshape(x, [n, -1, channels]);
  return slice(tokens, [0, prefix, 0], [n, rows * columns, channels]);
}
