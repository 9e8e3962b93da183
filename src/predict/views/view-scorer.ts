import type { GreyPixels } from '../../data/images/prepare.js';
import type { Scorer } from '../scorer.js';
import { type Merge, type MergeRule, mergeRule } from './merge.js';
import type { View } from './view.js';
import { type ViewSet, viewsOf } from './views.js';

/** Test-time augmentation: which views of an image are scored, and how their scores become one. */
export interface TestTimeViews {
  readonly set: ViewSet;
  /** Default `mean`: of the probabilities. */
  readonly merge?: Merge | undefined;
}

/**
 * A scorer that shows another one, made with `views: true`, several views of each image. Its merged scores are computed in
 * float64.
 */
export class ViewScorer implements Scorer {
  readonly classes: number;
  readonly batchSize: number;
  readonly #scorer: Scorer;
  readonly #views: readonly View[];
  readonly #rule: MergeRule;

  constructor(scorer: Scorer, { set, merge = 'mean' }: TestTimeViews) {
    this.classes = scorer.classes;
    this.batchSize = scorer.batchSize;
    this.#scorer = scorer;
    this.#views = viewsOf(set);
    this.#rule = mergeRule(merge);
  }

  async logits(pixels: GreyPixels): Promise<Float32Array> {
    const merged = await this.#merged(pixels);
    return Float32Array.from(this.#rule.of === 'logits' ? merged : merged.map(logit));
  }

  async probabilities(pixels: GreyPixels): Promise<Float32Array> {
    const merged = await this.#merged(pixels);
    return Float32Array.from(this.#rule.of === 'logits' ? merged.map(sigmoid) : merged);
  }

  async #merged(pixels: GreyPixels): Promise<Float64Array> {
    // asked for at once, computed in turn: no view waits until the one before it is read
    const scores = await Promise.all(this.#views.map((view) => this.#scorer[this.#rule.of](pixels, view)));
    const values = new Float64Array(scores.length);
    return Float64Array.from({ length: this.batchSize * this.classes }, (_, i) => {
      for (const [v, each] of scores.entries()) values[v] = each[i] as number;
      return this.#rule.combine(values);
    });
  }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function logit(p: number): number {
  return Math.log(p / (1 - p));
}
