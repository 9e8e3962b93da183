import { z } from 'zod';
import { conv2d } from '../../kernels/conv/conv.js';
import { add, mul } from '../../kernels/pointwise/pointwise-table.js';
import { mean, sum } from '../../kernels/reduce/reduce.js';
import { softmax } from '../../kernels/reduce/softmax.js';
import { concat, slice } from '../../kernels/shape/movement.js';
import { reshape } from '../../kernels/shape/reshape.js';
import { xavierUniform, ZEROS } from '../initializer.js';
import { defineHead } from './head.js';

/**
 * The head of "Handling Supervision Scarcity in Chest X-ray Classification" (arXiv 2602.13430), after the idea of CSRA
 * (csra-original.ts): the map is batch-normalised; each class attends to the positions s by a 1×1 convolution of its own,
 *
 *     z_c = (W·mean_s x_s + b)_c + λ·(W·Σ_s a_cs x_s + b)_c        a_c = softmax over s of (A x_s)_c
 *
 * Names are those of the published checkpoint (src/models/weights/cxrlt-names.ts).
 */
export const csra = defineHead({
  name: 'csra',
  summary: 'batch norm, then a linear layer on the mean and on what each class attends to',
  source: 'arXiv 2602.13430',
  options: z.strictObject({
    /** λ: weight of what a class attends to, against the mean. */
    lambda: z.number().min(0).max(10).default(0.1),
  }),
  reads: 'map',
  trace(scope, map, { lambda }, { classes }) {
    const x = scope.batchNorm('bn', map);
    return scope.within('head', () => {
      const [images, height, width, channels] = x.shape as [number, number, number, number];
      const initial = xavierUniform(channels, classes);
      const weight = scope.parameter('classifier.weight', [channels, classes], 'linear', initial);
      const bias = scope.parameter('classifier.bias', [classes], 'same', ZEROS);
      const attention = scope.parameter('conv_att.weight', [1, 1, channels, classes], 'conv', initial);
      // W is linear, so W·Σ a x = Σ a·(W x): the map is read once, for the score and the attention of each class at
      // each position, and no class gathers features of its own.
      const weights = concat([reshape(weight, attention.shape), attention], 3);
      const both = reshape(conv2d(x, weights), [images, height * width, 2 * classes]);
      const part = (first: number) => slice(both, [0, 0, first], [images, height * width, classes]);
      const scores = part(0);
      const weightOf = softmax(part(classes), 1);
      scope.landmarks.classAttention = () => weightOf;
      const attended = sum(mul(scores, weightOf), [1]);
      return { logits: add(add(mean(scores, [1]), bias), mul(add(attended, bias), lambda)) };
    });
  },
});
