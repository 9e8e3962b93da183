import type { Shape } from '../engine/graph/tensor.js';
import { type Initializer, ZEROS } from './initializer.js';

/**
 * Low-rank adaptation of linear layers (LoRA; Hu et al., arXiv 2106.09685). The weight W [in, out] of a trained network
 * rests, and the product of two small matrices beside it learns:
 *
 *     y = x·W + b + (alpha / rank)·(x·A)·B        A [in, rank], B [rank, out]
 *
 * B starts at zero, so the network starts as it was. Afterwards W + (alpha / rank)·A·B can stand for all three
 * (weights/merge-adapters.ts). A pair A, B is called an adapter; its names are PEFT's.
 */
export interface Lora {
  readonly rank: number;
  readonly alpha: number;
}

/** Which linear layers have adapters, by the name of their weight. */
export type LoraLayers = ReadonlyMap<string, Lora>;

/** Whose factor a parameter is. */
export interface Adapts extends Lora {
  /** Name of W. */
  readonly weight: string;
  readonly factor: 'A' | 'B';
}

/** What a factor is as a parameter; the rest is as for the weight that it stands beside. */
export interface AdapterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly layout: 'linear';
  readonly init: Initializer;
  readonly decay: boolean;
  readonly fixed: false;
  readonly adaptable: false;
  readonly adapts: Adapts;
}

/** The two factors of an adapter. @param weight W, in our layout [in, out] */
export function adapterSpecs(
  { name: weight, shape: [inputs = 1, outputs = 1] }: { readonly name: string; readonly shape: Shape },
  { rank, alpha }: Lora,
): [AdapterSpec, AdapterSpec] {
  const names = adapterNames(weight);
  const factor = (letter: 'A' | 'B', shape: Shape, init: Initializer): AdapterSpec => ({
    name: names[letter],
    shape,
    layout: 'linear',
    init,
    decay: true,
    fixed: false,
    adaptable: false,
    adapts: { weight, factor: letter, rank, alpha },
  });
  return [
    // Kaiming's uniform with a = √5, as PyTorch starts its linear layers and PEFT its adapters
    factor('A', [inputs, rank], { kind: 'uniform', bound: 1 / Math.sqrt(inputs) }),
    factor('B', [rank, outputs], ZEROS),
  ];
}

/** PEFT's names of the factors beside a weight. */
export function adapterNames(weight: string): { readonly A: string; readonly B: string } {
  const module = moduleOfWeight(weight);
  return { A: `${module}.lora_A.weight`, B: `${module}.lora_B.weight` };
}

/** The linear layer's name: that of its weight without `.weight`. */
export function moduleOfWeight(weight: string): string {
  return weight.replace(/\.weight$/, '');
}
