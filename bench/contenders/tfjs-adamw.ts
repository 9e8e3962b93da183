import type { Tf, TfTensor, TfVariable } from './tfjs.js';

/** AdamW composed of tfjs ops: its own `train.adam` is composed the same way, but has no decoupled decay. */

export interface AdamWSettings {
  readonly learningRate: number;
  readonly weightDecay: number;
}

export const BETA1 = 0.9;
export const BETA2 = 0.999;
export const EPSILON = 1e-8;

/** lr / (1 − β₁ᵗ) and 1 / √(1 − β₂ᵗ) of step t, from 1. */
export function biasCorrections(learningRate: number, step: number): { rate: number; root: number } {
  return { rate: learningRate / (1 - BETA1 ** step), root: 1 / Math.sqrt(1 - BETA2 ** step) };
}

/** A parameter and its moments. */
export class TfjsAdamW {
  readonly #first: TfVariable;
  readonly #second: TfVariable;

  constructor(
    readonly tf: Tf,
    readonly weight: TfVariable,
    readonly settings: AdamWSettings,
  ) {
    const zeros = () => tf.tidy(() => tf.variable(tf.zeros(weight.shape), false));
    this.#first = zeros();
    this.#second = zeros();
  }

  /** @param step from 1 */
  update(gradient: TfTensor, step: number): void {
    const { tf, weight } = this;
    const { learningRate, weightDecay } = this.settings;
    const { rate, root } = biasCorrections(learningRate, step);
    tf.tidy(() => {
      const first = this.#first;
      const second = this.#second;
      first.assign(tf.add(tf.mul(first, BETA1), tf.mul(gradient, 1 - BETA1)));
      second.assign(tf.add(tf.mul(second, BETA2), tf.mul(tf.square(gradient), 1 - BETA2)));
      const change = tf.div(tf.mul(first, rate), tf.add(tf.mul(tf.sqrt(second), root), EPSILON));
      const decayed = weightDecay > 0 ? tf.mul(weight, 1 - learningRate * weightDecay) : weight;
      weight.assign(tf.sub(decayed, change));
    });
  }

  dispose(): void {
    this.tf.dispose([this.weight, this.#first, this.#second]);
  }
}
