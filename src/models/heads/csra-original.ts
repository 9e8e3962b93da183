import { z } from 'zod';
import type { Tensor } from '../../engine/graph/tensor.js';
import { conv2d } from '../../kernels/conv/conv.js';
import { add, div, greater, mul, rsqrt, square, sub } from '../../kernels/pointwise/pointwise-table.js';
import { max, mean, sum } from '../../kernels/reduce/reduce.js';
import { softmax } from '../../kernels/reduce/softmax.js';
import { concat, slice } from '../../kernels/shape/movement.js';
import { reshape } from '../../kernels/shape/reshape.js';
import { defineHead } from './head.js';

/** Stands for the limit of ever larger temperatures: attention to the highest score alone. */
const MAXIMUM = 99;

/** Temperatures by the number of heads, as in the authors' code (github.com/Kevinz-code/CSRA). */
const TEMPERATURES = {
  1: [1],
  2: [1, MAXIMUM],
  4: [1, 2, 4, MAXIMUM],
  6: [1, 2, 3, 4, 5, MAXIMUM],
  8: [1, 2, 3, 4, 5, 6, 7, MAXIMUM],
} as const;

/**
 * Class-specific residual attention (Zhu & Wu, "Residual Attention", ICCV 2021, arXiv 2108.02456, eqs. 3–6). One
 * classifier without bias, its columns of length 1, scores every position; its own scores say where a class looks:
 *
 *     s_cj = x_j·w_c / ‖w_c‖        z_c = mean_j s_cj + λ·Σ_j softmax_j(T·s_cj)·s_cj
 *
 * Several heads, each with a classifier and a temperature T of its own, are added up; the last of several takes the
 * maximum for its attention.
 */
export const csraOriginal = defineHead({
  name: 'csra_original',
  summary: 'residual attention by the class scores themselves, at several temperatures',
  source: 'Zhu & Wu 2021, arXiv 2108.02456',
  options: z.strictObject({
    /** How many classifiers are added up. */
    heads: z.literal([1, 2, 4, 6, 8]).default(1),
    /** λ: weight of the attention, against the mean. */
    lambda: z.number().min(0).max(10).default(0.1),
  }),
  reads: 'map',
  trace(scope, map, { heads, lambda }, { classes }) {
    const [images, height, width, channels] = map.shape as [number, number, number, number];
    const positions = height * width;
    const temperatures: readonly number[] = TEMPERATURES[heads];
    const classifier = (head: number) =>
      scope.parameter(
        `classifier.multi_head.${head}.head.weight`,
        [1, 1, channels, classes],
        'conv',
        // PyTorch's default for a convolution, as the authors leave it.
        { kind: 'uniform', bound: 1 / Math.sqrt(channels) },
      );
    const [, ...others] = temperatures;
    const weights = concat([classifier(0), ...others.map((_, i) => classifier(i + 1))], 3);
    const unit = mul(weights, rsqrt(sum(square(weights), [0, 1, 2])));
    // The heads side by side: [head][class] are the channels of one product.
    const scores = reshape(conv2d(map, unit), [images, positions, heads * classes]);
    const soft = temperatures.filter((temperature) => temperature !== MAXIMUM);
    const softScores = slice(scores, [0, 0, 0], [images, positions, soft.length * classes]);
    const perColumn = Float32Array.from(
      { length: soft.length * classes },
      (_, i) => soft[Math.floor(i / classes)] ?? 1,
    );
    const sharpened = mul(softScores, map.graph.constant(perColumn, [perColumn.length]));
    const weightOf = softmax(sharpened, 1);
    const softened = sum(mul(softScores, weightOf), [1]);
    const hardScores =
      soft.length < heads
        ? slice(scores, [0, 0, soft.length * classes], [images, positions, classes])
        : undefined;
    const highest = hardScores && max(hardScores, [1]);
    const attended = highest ? concat([softened, highest], 1) : softened;
    scope.landmarks.classAttention = () => {
      const hard = hardScores && highest ? [atHighest(hardScores, highest)] : [];
      const ofHeads = concat([weightOf, ...hard], 2);
      return mean(reshape(ofHeads, [images, positions, heads, classes]), [2]);
    };
    const logits = add(mean(scores, [1]), mul(attended, lambda));
    return { logits: sum(reshape(logits, [images, heads, classes]), [1]) };
  },
});

/** The limit of softmax for ever larger temperatures: the highest positions, in equal parts. @param scores [n, positions, classes] */
function atHighest(scores: Tensor, highest: Tensor): Tensor {
  const [images, , classes] = scores.shape as [number, number, number];
  const along = (x: Tensor) => reshape(x, [images, 1, classes]);
  const reached = sub(1, greater(along(highest), scores));
  return div(reached, along(sum(reached, [1])));
}
