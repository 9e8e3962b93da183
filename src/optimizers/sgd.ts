import { z } from 'zod';
import { defineOptimizer } from './define/define-optimizer.js';

const parameters = z.strictObject({
  momentum: z.number().min(0).lt(1).default(0.9),
  nesterov: z.boolean().default(false),
});

/**
 * Stochastic gradient descent with momentum, as `torch.optim.SGD` without dampening: g ← g + λp; b ← μb + g (so b is
 * g at the first step, b being zero before); p ← p − lr·b, or with Nesterov's look-ahead p ← p − lr·(g + μb).
 */
export const sgd = defineOptimizer({
  name: 'sgd',
  summary: 'stochastic gradient descent with momentum',
  source: 'Sutskever et al. 2013 (the momentum), as PyTorch writes it',
  parameters,
  state: ['momentum'],
  hyper: {
    names: ['learningRate', 'mu'],
    values: ({ momentum }, { learningRate }) => ({ learningRate, mu: momentum }),
  },
  wgsl: ({ nesterov }) => `
    let decayed = gradient + decay * params[i];
    let velocity = mu * momentum[i] + decayed;
    momentum[i] = velocity;
    let updated = params[i] - learningRate * rate * ${nesterov ? '(decayed + mu * velocity)' : 'velocity'};`,
  flops: ({ nesterov }) => (nesterov ? 8 : 6),
});
