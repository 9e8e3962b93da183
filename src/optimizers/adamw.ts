import { z } from 'zod';
import { defineOptimizer } from './define/define-optimizer.js';

const beta = z.number().min(0).lt(1);

const parameters = z.strictObject({
  betas: z.tuple([beta, beta]).default([0.9, 0.999]).describe('decay of the two moments'),
  eps: z.number().positive().max(1).default(1e-8).describe('added to the root of the second moment'),
});

/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2), as `torch.optim.AdamW`:
 * p ← p·(1 − lr·λ); m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← p − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε),
 * with g the clipped gradient, and lr and λ those of the parameter.
 */
export const adamW = defineOptimizer({
  name: 'adamw',
  summary: 'Adam with decoupled weight decay',
  source: 'Loshchilov & Hutter 2019, arXiv 1711.05101',
  parameters,
  state: ['firstMoment', 'secondMoment'],
  hyper: {
    names: ['learningRate', 'beta1', 'new1', 'beta2', 'new2', 'epsilon', 'correction1', 'correction2'],
    values: ({ betas: [beta1, beta2], eps }, { learningRate, step }) => ({
      learningRate,
      beta1,
      new1: 1 - beta1,
      beta2,
      new2: 1 - beta2,
      epsilon: eps,
      correction1: 1 / (1 - beta1 ** step),
      correction2: 1 / Math.sqrt(1 - beta2 ** step),
    }),
  },
  wgsl: () => `
    let m = beta1 * firstMoment[i] + new1 * gradient;
    let v = beta2 * secondMoment[i] + new2 * gradient * gradient;
    firstMoment[i] = m;
    secondMoment[i] = v;
    let step = learningRate * rate;
    let denominator = sqrt(v) * correction2 + epsilon;
    let updated = params[i] * (1.0 - step * decay) - (step * correction1) * m / denominator;`,
  flops: () => 15,
});
