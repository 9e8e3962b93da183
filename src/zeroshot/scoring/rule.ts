import type { z } from 'zod';
import { ScoringError } from './scoring-error.js';
import type { ClassBlocks, PromptBlock, PromptLayout } from './text-embeddings.js';

/**
 * A rule of scoring: a step on the way from embeddings to scores. A list of rules has, in this order,
 * - any number of `images` rules, which change the image embeddings;
 * - at most one `pooling` rule, by which the similarities of an image to several prompts become one number (`mean` else);
 * - any number of `contrast` rules, which take off the pooled similarity to other prompts;
 * - any number of `scores` rules, which see the scores of all images and classes.
 */
export const RULE_KINDS = ['images', 'pooling', 'contrast', 'scores'] as const;
export type RuleKind = (typeof RULE_KINDS)[number];

/** Scores of a model that was trained on the seen classes. */
export interface SeenScores {
  readonly classes: readonly string[];
  /** [n, classes]: probabilities */
  readonly scores: ArrayLike<number>;
}

/** What rules may ask for beside images and texts. Labels are not among it. */
export interface RuleContext {
  readonly n: number;
  readonly layout: PromptLayout;
  /** [m, width] with length 1: images without labels; the images at hand where none were given. */
  readonly bank: Float64Array;
  readonly seen: SeenScores | undefined;
}

/** The step, with the parameters of its rule. */
export type RuleStep =
  | {
      readonly kind: 'images';
      /** @param images [n, width] with length 1 @returns the same of new images */
      change(images: Float64Array, context: RuleContext): Float64Array;
    }
  | {
      readonly kind: 'pooling';
      /** @param similarities cosines of one image with the prompts of `block` */
      pool(similarities: Float64Array, block: PromptBlock, layout: PromptLayout): number;
    }
  | {
      readonly kind: 'contrast';
      readonly weight: number;
      /** The prompts whose pooled similarity is taken off a class's score, `weight` times. */
      against(own: ClassBlocks, layout: PromptLayout): PromptBlock;
    }
  | {
      readonly kind: 'scores';
      /** @param scores [n, classes of the layout], changed in place */
      change(scores: Float64Array, context: RuleContext): void;
    };

interface RuleAbout {
  /** As on the command line. */
  readonly name: string;
  /** One line for lists of rules. */
  readonly summary: string;
  readonly source: string;
  /**
   * Whether the rule, alone, can order the images otherwise within a class than `mean` does. Where it cannot, AP and AUROC
   * of a class stay the same, and the rule serves calibration.
   */
  readonly canChangeRanking: boolean;
  /** The rule asks for `SeenScores`. */
  readonly needsSeen?: boolean;
}

export interface RuleDefinition<Schema extends z.ZodObject> extends RuleAbout {
  /** Parameters with ranges, defaults and descriptions; use `z.strictObject`, so that a misspelt one is refused. */
  readonly parameters: Schema;
  readonly kind: RuleKind;
  step(parameters: z.output<Schema>): RuleStep;
}

/** A registered rule, its parameters' types out of sight. */
export interface ScoringRule extends RuleAbout {
  readonly kind: RuleKind;
  readonly needsSeen: boolean;
  readonly parameters: z.ZodObject;
  /** Fixes the parameters. @throws ScoringError naming the one that is unknown or out of range */
  bind(given: Readonly<Record<string, unknown>>): BoundRule;
}

export interface BoundRule {
  readonly rule: ScoringRule;
  /** All parameters, defaults filled in. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly step: RuleStep;
}

/** A rule by its name alone, or by name and parameters. */
export type RuleChoice = string | { readonly name: string; readonly [parameter: string]: unknown };

export function defineRule<Schema extends z.ZodObject>(definition: RuleDefinition<Schema>): ScoringRule {
  const { step, needsSeen = false, ...about } = definition;
  const rule: ScoringRule = {
    ...about,
    needsSeen,
    bind(given) {
      const parsed = definition.parameters.safeParse(given);
      if (!parsed.success) {
        const reasons = parsed.error.issues.map(({ path, message }) => [...path, message].join(': '));
        throw new ScoringError(`rule "${about.name}": ${reasons.join('; ')}`);
      }
      return { rule, parameters: parsed.data, step: step(parsed.data) };
    },
  };
  return rule;
}
