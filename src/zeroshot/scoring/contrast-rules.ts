import { z } from 'zod';
import { defineRule } from './rule.js';
import { ScoringError } from './scoring-error.js';

/** Rules that compare the similarity to a class's prompts with the same image's similarity to other prompts. */

const weight = z
  .number()
  .min(0)
  .max(10)
  .default(1)
  .describe('share of the other similarity that is taken off');

export const positiveMinusNegative = defineRule({
  name: 'positive-minus-negative',
  summary: "takes off the similarity to the class's negative prompts",
  source: 'Tiu et al. 2022 (CheXzero), as a difference',
  kind: 'contrast',
  canChangeRanking: true,
  parameters: z.strictObject({ weight }),
  step: (parameters) => ({
    kind: 'contrast',
    weight: parameters.weight,
    against({ name, negative }) {
      if (negative) return negative;
      throw new ScoringError(
        `class "${name}" has no negative prompts, which positive-minus-negative compares with: add \`negative\` to the ` +
          'file of prompts, for the class or for all.',
      );
    },
  }),
});

export const minusNeutral = defineRule({
  name: 'minus-neutral',
  summary: 'takes off the similarity to neutral prompts, or to the prompts of a class such as Normal',
  source: 'definition',
  kind: 'contrast',
  canChangeRanking: true,
  parameters: z.strictObject({
    weight,
    against: z
      .string()
      .min(1)
      .optional()
      .describe('a class whose prompts are taken, such as Normal; the neutral prompts when absent'),
  }),
  step: (parameters) => ({
    kind: 'contrast',
    weight: parameters.weight,
    against({ name, neutral }, { classes }) {
      if (parameters.against !== undefined) {
        const other = classes.find((each) => each.name === parameters.against);
        if (other) return other.prompts;
        throw new ScoringError(
          `minus-neutral: against: there are no prompts for class "${parameters.against}".`,
        );
      }
      if (neutral) return neutral;
      throw new ScoringError(
        `class "${name}" has no neutral prompts, which minus-neutral compares with: add \`neutral\` to the file of prompts.`,
      );
    },
  }),
});
