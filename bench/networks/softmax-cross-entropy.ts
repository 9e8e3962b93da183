import { z } from 'zod';
import { mul } from '#src/kernels/pointwise/pointwise-table.js';
import { sum } from '#src/kernels/reduce/reduce.js';
import { logSoftmax } from '#src/kernels/reduce/softmax.js';
import { reshape } from '#src/kernels/shape/reshape.js';
import { defineBatchLoss } from '#src/losses/define/define-batch-loss.js';
import { BenchError } from '../bench-error.js';

/**
 * −Σ y·log softmax(x), the mean over images: the loss of networks that choose one of many classes. tailray's own losses are for
 * findings that come together, so it is none of theirs; public benchmarks of ResNet-50 train by it.
 */
export const softmaxCrossEntropy = defineBatchLoss({
  name: 'softmax-cross-entropy',
  summary: 'one class an image',
  source: "PyTorch's cross_entropy with class probabilities as targets",
  parameters: z.strictObject({}),
  trace(_parameters, { logits, targets, reduction }) {
    if (reduction !== 'mean') throw new BenchError('the benchmark takes the mean over images only');
    const [n = 1] = logits.shape;
    return reshape(mul(sum(mul(targets, logSoftmax(logits)), [0, 1]), -1 / n), [1]);
  },
  reference(_parameters, { n, classes, logits, targets }) {
    const gradient = new Float64Array(n * classes);
    let value = 0;
    for (let row = 0; row < n; row++) {
      const entries = Array.from({ length: classes }, (_, c) => row * classes + c);
      const peak = Math.max(...entries.map((i) => logits[i] ?? Number.NaN));
      const total = entries.reduce((all, i) => all + Math.exp((logits[i] ?? Number.NaN) - peak), 0);
      const weight = entries.reduce((all, i) => all + (targets[i] ?? Number.NaN), 0);
      for (const i of entries) {
        const logP = (logits[i] ?? Number.NaN) - peak - Math.log(total);
        const target = targets[i] ?? Number.NaN;
        value -= (target * logP) / n;
        gradient[i] = (weight * Math.exp(logP) - target) / n;
      }
    }
    return { value, gradient };
  },
});
