import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import {
  type ClassStatistics,
  inverseEffectiveNumbers,
  requireCounts,
  withMeanOne,
} from './define/class-statistics.js';
import { defineLoss } from './define/define-loss.js';
import { logistic } from './define/logistic.js';

const margins = {
  maxMargin: z.number().min(0).max(16).default(0.5).describe('margin of the rarest class'),
  scale: z.number().positive().max(1000).default(30).describe('s: factor of the logits'),
};

/**
 * Label-distribution-aware margins (Cao et al. 2019, arXiv 1906.07413): positives must exceed a margin
 * that grows as a class gets rarer, m_c = maxMargin·n_c^(−1/4)/max_k n_k^(−1/4). As cross-entropy of each class by itself:
 * L = y·softplus(−s(x − m)) + (1 − y)·softplus(s·x), dL/dx = s·[(1 − y)·σ(s·x) − y·(1 − σ(s(x − m)))]. A soft target
 * mixes the two terms.
 */
export const ldam = defineLoss({
  name: 'ldam',
  summary: 'positives of rarer classes must exceed a larger margin',
  source: 'Cao et al. 2019, arXiv 1906.07413',
  parameters: z.strictObject(margins),
  classConstants: {
    names: ['margin'],
    values: ({ maxMargin }, statistics) => ({ margin: marginsOf('ldam', maxMargin, statistics) }),
  },
  wgsl: ({ scale }) => `fn loss(x: f32, y: f32, margin: f32) -> vec2f {${crossEntropy(scale)}
  return result;
}`,
  reference: ({ scale }, x, y, { margin }) => crossEntropyReference(scale, x, y, margin),
  flops: 76,
});

/**
 * LDAM with deferred re-weighting (the same paper, algorithm 1): late in the training, classes are weighted by the inverse
 * effective number of their positives (Cui et al. 2019), the weights adding up to C.
 */
export const ldamDrw = defineLoss({
  name: 'ldam-drw',
  summary: 'LDAM, with classes weighted late in the training',
  source: 'Cao et al. 2019, arXiv 1906.07413',
  parameters: z.strictObject({
    ...margins,
    reweightFrom: z
      .number()
      .min(0)
      .max(1)
      .default(0.8)
      .describe('share of the training after which classes are weighted (the paper: epoch 160 of 200)'),
    beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number of positives'),
  }),
  classConstants: {
    names: ['margin', 'weight'],
    values: ({ maxMargin, beta }, statistics) => ({
      margin: marginsOf('ldam-drw', maxMargin, statistics),
      weight: withMeanOne(inverseEffectiveNumbers(requireCounts('ldam-drw', statistics), beta)),
    }),
  },
  schedule: {
    names: ['weighted'],
    values: ({ reweightFrom }, { progress }) => ({ weighted: progress >= reweightFrom ? 1 : 0 }),
  },
  wgsl: ({
    scale,
  }) => `fn loss(x: f32, y: f32, margin: f32, weight: f32, weighted: f32) -> vec2f {${crossEntropy(scale)}
  return result * select(1.0, weight, weighted > 0.0);
}`,
  reference({ scale }, x, y, { margin, weight, weighted }) {
    const { value, slope } = crossEntropyReference(scale, x, y, margin);
    const factor = weighted > 0 ? weight : 1;
    return { value: factor * value, slope: factor * slope };
  },
  flops: 78,
});

function marginsOf(loss: string, maxMargin: number, statistics: ClassStatistics): number[] {
  const roots = requireCounts(loss, statistics).positives.map((count) => count ** -0.25);
  const largest = Math.max(...roots);
  return roots.map((root) => (maxMargin * root) / largest);
}

const crossEntropy = (scale: number) => `
  let u = logistic(${literal(scale)} * (x - margin));
  let s = logistic(${literal(scale)} * x);
  let result = vec2f(
    y * u.minusLogP + (1.0 - y) * s.minusLogQ,
    ${literal(scale)} * ((1.0 - y) * s.p - y * u.q),
  );`;

function crossEntropyReference(scale: number, x: number, y: number, margin: number) {
  const u = logistic(scale * (x - margin));
  const { p, minusLogQ } = logistic(scale * x);
  return { value: y * u.minusLogP + (1 - y) * minusLogQ, slope: scale * ((1 - y) * p - y * u.q) };
}
