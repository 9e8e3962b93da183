import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { aslParameters, aslReference, aslWgsl } from './asl.js';
import { logOdds, requireCounts } from './define/class-statistics.js';
import { defineLoss } from './define/define-loss.js';

const parameters = aslParameters.extend({
  tau: z.number().min(0).max(10).default(1).describe('τ: how much of the prior is added'),
});

/**
 * Asymmetric loss (asl.ts) of the adjusted logit (logit-adjusted.ts): x + τ·log(π/(1 − π)) takes the place of x, π = n_c/N.
 * So the first stage of arXiv 2602.13430 is trained. The prior is added in training, as Menon et al. have it (arXiv
 * 2007.07314, eq. 10), where the published code of that paper takes it off.
 */
export const logitAdjustedAsl = defineLoss({
  name: 'logit-adjusted-asl',
  summary: 'asymmetric focusing after adding the class prior to the logit',
  source: 'arXiv 2602.13430',
  parameters,
  classConstants: {
    names: ['logOdds'],
    values: (_parameters, statistics) => ({
      logOdds: logOdds(requireCounts('logit-adjusted-asl', statistics)),
    }),
  },
  wgsl: (given) => aslWgsl(given, `x + ${literal(given.tau)} * logOdds`, ['logOdds']),
  reference: (given, x, y, constants) => aslReference(given, x + given.tau * constants.logOdds, y),
  partialGradient: ({ detachFocus }) => detachFocus,
  flops: 82,
});
