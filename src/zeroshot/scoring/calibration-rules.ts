import { z } from 'zod';
import { defineRule } from './rule.js';

/**
 * Rules that give every class's scores another scale. Each is increasing within a class, so that AP and AUROC stay as they
 * are. They serve thresholds, and rules behind them that mix classes or ask for probabilities.
 */

export const sigmoid = defineRule({
  name: 'sigmoid',
  summary: 'σ(scale·s): numbers between 0 and 1',
  source: 'arXiv 2602.13430, task 2',
  kind: 'scores',
  canChangeRanking: false,
  parameters: z.strictObject({
    scale: z.number().positive().max(1000).default(5).describe('factor before the sigmoid'),
  }),
  step: ({ scale }) => ({
    kind: 'scores',
    change(scores) {
      for (let i = 0; i < scores.length; i++) scores[i] = 1 / (1 + Math.exp(-scale * (scores[i] as number)));
    },
  }),
});

export const temperature = defineRule({
  name: 'temperature',
  summary: 's / T',
  source: 'Guo et al. 2017',
  kind: 'scores',
  canChangeRanking: false,
  parameters: z.strictObject({ temperature: z.number().min(1e-4).max(1e4).default(0.01).describe('T') }),
  step: (parameters) => ({
    kind: 'scores',
    change(scores) {
      for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] as number) / parameters.temperature;
    },
  }),
});

export const zScore = defineRule({
  name: 'z-score',
  summary: 'each class with mean 0 and standard deviation 1 over the images at hand',
  source: 'definition',
  kind: 'scores',
  canChangeRanking: false,
  parameters: z.strictObject({}),
  step: () => ({
    kind: 'scores',
    change(scores, { n, layout: { classes } }) {
      const stride = classes.length;
      for (let c = 0; c < stride; c++) {
        let [sum, squares] = [0, 0];
        for (let i = c; i < scores.length; i += stride) sum += scores[i] as number;
        const mean = sum / n;
        for (let i = c; i < scores.length; i += stride) squares += ((scores[i] as number) - mean) ** 2;
        const deviation = Math.sqrt(squares / n);
        for (let i = c; i < scores.length; i += stride) {
          scores[i] = deviation > 0 ? ((scores[i] as number) - mean) / deviation : 0;
        }
      }
    },
  }),
});
