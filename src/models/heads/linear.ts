import { z } from 'zod';
import { defineHead } from './head.js';

/** The classifier that the architecture was published with, under the name that it has there. */
export const linear = defineHead({
  name: 'linear',
  summary: 'one linear layer on the pooled features',
  source: 'the architecture’s',
  options: z.strictObject({}),
  reads: 'features',
  trace: (scope, features, _options, { classes, classifier: { name, initial } }) => ({
    logits: scope.linear(name, features, classes, initial),
  }),
});
