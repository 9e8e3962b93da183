import { unknownName } from '../../recipe/known-names.js';
import { mean } from './pooling-rules.js';
import type { BoundRule, RuleChoice, RuleContext, RuleStep, SeenScores } from './rule.js';
import { ScoringError } from './scoring-error.js';
import { bindRules } from './scoring-rules.js';
import {
  layOutPrompts,
  type PromptBlock,
  type PromptLayout,
  type TextEmbeddings,
} from './text-embeddings.js';
import { dot, unitRows } from './vectors.js';

/** From image and prompt embeddings to scores, without training. */

/** Embeddings to score, and what some rules ask for. Nothing in here is a label. */
export interface ZeroShotInputs {
  /** [n, width of the texts] */
  readonly images: ArrayLike<number>;
  /** Values of an image's embedding, where it is known: flat rows of 16 pass for twice as many of 8. */
  readonly imageWidth?: number | undefined;
  readonly texts: TextEmbeddings;
  /** [m, width]: images without labels, for `centred`; the images themselves when absent. */
  readonly bank?: ArrayLike<number> | undefined;
  /** For `normal-gating` and `semantic-transfer`. */
  readonly seen?: SeenScores | undefined;
}

export interface ZeroShotOptions extends ZeroShotInputs {
  /** The columns wanted, in this order; all classes with prompts, in theirs, when absent. */
  readonly classes?: readonly string[] | undefined;
  /** One after the other; `['mean']` when absent. */
  readonly rules?: readonly RuleChoice[] | undefined;
}

export interface ZeroShotScores {
  readonly classes: readonly string[];
  /** [n, classes] */
  readonly scores: Float64Array;
}

/**
 * Scores images against the prompts of classes. Embeddings get length 1 first.
 *
 * Every class with prompts takes part, whether its column is wanted or not: `softmax` compares with all of them.
 * @throws ScoringError for embeddings of another width or without a direction, empty groups, unknown classes and rules
 */
export function scoreZeroShot({ classes, rules = ['mean'], ...inputs }: ZeroShotOptions): ZeroShotScores {
  const prepared = prepareScoring(inputs);
  const wanted = classes ?? prepared.layout.classes.map(({ name }) => name);
  const columns = columnsOf(prepared.layout, wanted);
  const [scores = new Float64Array()] = scoreByLists(prepared, [bindRules(rules)]);
  const stride = prepared.layout.classes.length;
  const picked = new Float64Array(prepared.n * columns.length);
  for (let i = 0; i < prepared.n; i++) {
    for (const [c, column] of columns.entries()) {
      picked[i * columns.length + c] = scores[i * stride + column] as number;
    }
  }
  return { classes: [...wanted], scores: picked };
}

export interface PreparedScoring extends RuleContext {
  /** [n, width] with length 1 */
  readonly images: Float64Array;
}

/** Checks the embeddings and gives them length 1. @throws ScoringError */
export function prepareScoring({ images, imageWidth, texts, bank, seen }: ZeroShotInputs): PreparedScoring {
  const layout = layOutPrompts(texts);
  if (imageWidth !== undefined && imageWidth !== layout.width) {
    throw new ScoringError(
      `embeddings of images have ${imageWidth} values, and those of texts ${layout.width}: take both from one and the ` +
        'same model.',
    );
  }
  const rows = unitRows(images, layout.width, 'image');
  const unlabelled = bank === undefined ? rows : unitRows(bank, layout.width, 'image of the bank');
  if (bank !== undefined && bank.length === 0) throw new ScoringError('the bank of images is empty.');
  return { n: rows.length / layout.width, layout, images: rows, bank: unlabelled, seen };
}

/** Where the classes stand in the layout. @throws ScoringError for one without prompts */
export function columnsOf({ classes }: PromptLayout, wanted: readonly string[]): number[] {
  const names = classes.map(({ name }) => name);
  return wanted.map((name) => {
    const column = names.indexOf(name);
    if (column >= 0) return column;
    throw new ScoringError(`${unknownName('class with prompts', name, names)}.`);
  });
}

/**
 * Scores of several lists of rules. Lists that change the images alike share the products of images and prompts, which are
 * nearly all the work.
 * @returns [n, classes of the layout] for each list
 */
export function scoreByLists(
  prepared: PreparedScoring,
  lists: readonly (readonly BoundRule[])[],
): Float64Array[] {
  const { n, layout } = prepared;
  const stride = layout.classes.length;
  const results = lists.map(() => new Float64Array(n * stride));
  const sharing = new Map<string, number[]>();
  for (const [index, list] of lists.entries()) {
    const key = JSON.stringify(
      list
        .filter(({ rule }) => rule.kind === 'images')
        .map(({ rule, parameters }) => [rule.name, parameters]),
    );
    sharing.set(key, [...(sharing.get(key) ?? []), index]);
  }
  for (const members of sharing.values()) {
    let { images } = prepared;
    for (const { step } of lists[members[0] ?? 0] ?? []) {
      if (step.kind === 'images') images = step.change(images, prepared);
    }
    const poolings = members.map((index) => ({
      scores: results[index] as Float64Array,
      pool: poolingOf(lists[index] ?? [], layout),
    }));
    const similarities = new Float64Array(layout.count);
    for (let i = 0; i < n; i++) {
      similaritiesOf(images.subarray(i * layout.width, (i + 1) * layout.width), layout, similarities);
      for (const { scores, pool } of poolings)
        pool(similarities, scores.subarray(i * stride, (i + 1) * stride));
    }
  }
  for (const [index, list] of lists.entries()) {
    for (const { step } of list)
      if (step.kind === 'scores') step.change(results[index] as Float64Array, prepared);
  }
  return results;
}

function similaritiesOf(image: Float64Array, { rows, width, count }: PromptLayout, into: Float64Array): void {
  for (let k = 0; k < count; k++) into[k] = dot(image, rows.subarray(k * width, (k + 1) * width));
}

type Pooling = Extract<RuleStep, { readonly kind: 'pooling' }>;

/** The pooling of a list and its contrasts, as one function of an image's similarities. */
function poolingOf(list: readonly BoundRule[], layout: PromptLayout) {
  const steps = list.map(({ step }) => step);
  const pooling =
    steps.find((step): step is Pooling => step.kind === 'pooling') ?? (mean.bind({}).step as Pooling);
  const classes = layout.classes.map((own) => ({
    own: own.prompts,
    others: steps.flatMap((step) =>
      step.kind === 'contrast' ? [{ block: step.against(own, layout), weight: step.weight }] : [],
    ),
  }));
  return (similarities: Float64Array, into: Float64Array) => {
    const pooled = (block: PromptBlock) =>
      pooling.pool(similarities.subarray(block.from, block.to), block, layout);
    for (const [c, { own, others }] of classes.entries()) {
      let score = pooled(own);
      for (const { block, weight } of others) score -= weight * pooled(block);
      into[c] = score;
    }
  };
}
