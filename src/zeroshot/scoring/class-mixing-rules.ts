import { z } from 'zod';
import { gateByNormal } from '../../eval/normal-gating.js';
import { defineRule, type RuleContext, type SeenScores } from './rule.js';
import { ScoringError } from './scoring-error.js';
import { dot, softmax } from './vectors.js';

/** Rules by which the score of a class depends on the image's scores of other classes. */

export const softmaxOverClasses = defineRule({
  name: 'softmax',
  summary:
    'softmax over the classes within an image: a score counts beside those of all other classes with prompts',
  source: 'Radford et al. 2021 (CLIP)',
  kind: 'scores',
  canChangeRanking: true,
  parameters: z.strictObject({
    temperature: z.number().min(1e-4).max(100).default(0.01).describe('T: scores are divided by it first'),
  }),
  step: ({ temperature }) => ({
    kind: 'scores',
    change(scores, { layout: { classes } }) {
      for (let from = 0; from < scores.length; from += classes.length) {
        softmax(scores.subarray(from, from + classes.length), temperature);
      }
    },
  }),
});

/** p_c·(1 − p_Normal)^α, Normal's own column left as it is. */
export const normalGating = defineRule({
  name: 'normal-gating',
  summary:
    "times (1 − p)^α, with p the seen model's probability of a class such as Normal; after sigmoid or softmax",
  source: 'arXiv 2602.13430, task 1',
  kind: 'scores',
  canChangeRanking: true,
  needsSeen: true,
  parameters: z.strictObject({
    alpha: z.number().min(0).max(10).default(0.5).describe('α: 0 changes nothing'),
    normal: z.string().min(1).default('Normal').describe('the class that says that there is no finding'),
  }),
  step: ({ alpha, normal }) => ({
    kind: 'scores',
    change(scores, context) {
      const seen = seenOf(context, 'normal-gating');
      const column = seen.classes.indexOf(normal);
      if (column < 0) {
        throw new ScoringError(
          `normal-gating: the seen model has no class "${normal}", only ${seen.classes.join(', ')}.`,
        );
      }
      const classes = context.layout.classes.map(({ name }) => name);
      for (let i = 0; i < context.n; i++) {
        const own = scores.subarray(i * classes.length, (i + 1) * classes.length);
        const negative = own.findIndex((score) => score < 0);
        if (negative >= 0) {
          throw new ScoringError(
            `normal-gating: the score of class "${classes[negative]}" for image ${i} is ${own[negative]}, and only numbers ` +
              'from 0 on can be gated: put sigmoid or softmax before it.',
          );
        }
        gateByNormal(own, classes, probability(seen, i, column), { alpha, normal });
      }
    },
  }),
});

/**
 * For a class that the seen model does not have: Σ_s w_cs·p_s over the k seen classes s whose prompts lie nearest to its
 * own, w_cs the softmax of cos(t_c, t_s) / T, as convex combinations of semantic embeddings are weighted (ConSE).
 */
export const semanticTransfer = defineRule({
  name: 'semantic-transfer',
  summary: "an unseen class's score from the seen model's scores of the classes whose prompts are nearest",
  source: 'after Norouzi et al. 2014 (ConSE), arXiv 1312.5650',
  kind: 'scores',
  canChangeRanking: true,
  needsSeen: true,
  parameters: z.strictObject({
    temperature: z
      .number()
      .min(1e-4)
      .max(100)
      .default(0.05)
      .describe('T: the lower, the more the nearest class counts'),
    k: z.number().int().min(1).default(5).describe('seen classes that count'),
    share: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe('of the transferred score; the rest is the score as it was'),
    without: z.array(z.string()).default(['Normal']).describe('seen classes that never count'),
  }),
  step: ({ temperature, k, share, without }) => ({
    kind: 'scores',
    change(scores, context) {
      const seen = seenOf(context, 'semantic-transfer');
      const { classes } = context.layout;
      const sources = seen.classes.flatMap((name, column) => {
        if (without.includes(name)) return [];
        const own = classes.find((each) => each.name === name);
        if (own) return [{ column, direction: own.prompts.direction }];
        throw new ScoringError(
          `semantic-transfer: there are no prompts for class "${name}" of the seen model.`,
        );
      });
      if (sources.length === 0)
        throw new ScoringError('semantic-transfer: no seen class is left to learn from.');
      for (const [c, { name, prompts }] of classes.entries()) {
        if (seen.classes.includes(name)) continue;
        const near = sources
          .map(({ column, direction }) => ({ column, likeness: dot(direction, prompts.direction) }))
          .sort((a, b) => b.likeness - a.likeness)
          .slice(0, k);
        const weights = softmax(
          Float64Array.from(near, ({ likeness }) => likeness),
          temperature,
        );
        for (let i = 0; i < context.n; i++) {
          let transferred = 0;
          for (const [s, { column }] of near.entries()) {
            transferred += (weights[s] as number) * probability(seen, i, column);
          }
          const at = i * classes.length + c;
          scores[at] = (1 - share) * (scores[at] as number) + share * transferred;
        }
      }
    },
  }),
});

function seenOf({ seen, n }: RuleContext, rule: string): SeenScores {
  if (!seen)
    throw new ScoringError(`${rule} needs the scores of a model that was trained on the seen classes.`);
  if (seen.scores.length === n * seen.classes.length) return seen;
  throw new ScoringError(
    `${rule}: the seen model gave ${seen.scores.length} scores, expected ${n} images × ${seen.classes.length} classes.`,
  );
}

function probability({ classes, scores }: SeenScores, image: number, column: number): number {
  const p = scores[image * classes.length + column] as number;
  if (p >= 0 && p <= 1) return p;
  throw new ScoringError(
    `the seen model's score of class "${classes[column]}" for image ${image} is ${p}, which is no probability.`,
  );
}
