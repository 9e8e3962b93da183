import type { Gather } from '../conv-gather.js';

/**
 * Winograd's minimal filtering (Lavin & Gray 2015, arXiv:1509.09308, eq. 8): a tile of m × m outputs of a 3×3 convolution is
 *
 *     y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
 *
 * of the 3×3 weights g and the (m + 2) × (m + 2) inputs d. Summed over the input channels, each place of the product ⊙ is
 * a matrix product of its own: (m + 2)² of them in place of the 9·m² multiplications of the definition.
 */
export interface WinogradForm {
  /** Outputs of a tile along a side: m. */
  readonly outputs: number;
  /** Inputs of a tile along a side: m + 2. */
  readonly inputs: number;
  /** Bᵀ, G, Aᵀ, row by row. */
  readonly ofInputs: readonly (readonly number[])[];
  readonly ofWeights: readonly (readonly number[])[];
  readonly ofProducts: readonly (readonly number[])[];
}

/** F(2×2, 3×3), from the points 0, ±1 and ∞: 2.25 times fewer multiplications. */
export const F2: WinogradForm = {
  outputs: 2,
  inputs: 4,
  ofInputs: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  ofWeights: [
    [1, 0, 0],
    [1 / 2, 1 / 2, 1 / 2],
    [1 / 2, -1 / 2, 1 / 2],
    [0, 0, 1],
  ],
  ofProducts: [
    [1, 1, 1, 0],
    [0, 1, -1, -1],
  ],
};

/** F(4×4, 3×3), from the points 0, ±1, ±2 and ∞: 4 times fewer multiplications, and an error some ten times larger. */
export const F4: WinogradForm = {
  outputs: 4,
  inputs: 6,
  ofInputs: [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  ofWeights: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
  ofProducts: [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
  ],
};

/** How the results of a convolution are cut into tiles. Tiles are numbered image by image, row by row. */
export interface Tiling {
  readonly down: number;
  readonly across: number;
  /** Of all images. */
  readonly tiles: number;
}

export function tilingOf({ image, outH, outW }: Gather, { outputs }: WinogradForm): Tiling {
  const down = Math.ceil(outH / outputs);
  const across = Math.ceil(outW / outputs);
  return { down, across, tiles: image.n * down * across };
}

/** Products of one tile. */
export function placesOf({ inputs }: WinogradForm): number {
  return inputs * inputs;
}

/**
 * WGSL for M·x·Mᵀ, where the element of x in row i and column j is the variable `${from}${i}_${j}`; the results are
 * `${to}${i}_${j}`, and the names between begin with `${to}h`.
 *
 * Sample (3×3 convolution by F(2×2, 3×3), from its products to its results):
 *
 *     let oh0_0 = p0_0 + p1_0 + p2_0;
 *     …
 *     let oh1_3 = p1_3 - p2_3 - p3_3;
 *     let o0_0 = oh0_0 + oh0_1 + oh0_2;
 *     let o0_1 = oh0_1 - oh0_2 - oh0_3;
 *     let o1_0 = oh1_0 + oh1_1 + oh1_2;
 *     let o1_1 = oh1_1 - oh1_2 - oh1_3;
 */
export function transformCode(matrix: readonly (readonly number[])[], from: string, to: string): string {
  const columns = matrix[0]?.length ?? 0;
  const lines: string[] = [];
  matrix.forEach((row, i) => {
    for (let j = 0; j < columns; j++) {
      lines.push(`let ${to}h${i}_${j} = ${sumCode(row, (k) => `${from}${k}_${j}`)};`);
    }
  });
  matrix.forEach((_, i) => {
    matrix.forEach((row, j) => {
      lines.push(`let ${to}${i}_${j} = ${sumCode(row, (k) => `${to}h${i}_${k}`)};`);
    });
  });
  return lines.join('\n');
}

/** A sum of variables with constant factors, without those that are 0. */
export function sumCode(factors: readonly number[], name: (k: number) => string): string {
  const terms = factors.flatMap((factor, k) => {
    if (factor === 0) return [];
    const size = Math.abs(factor);
    return [{ minus: factor < 0, text: size === 1 ? name(k) : `${floatCode(size)} * ${name(k)}` }];
  });
  return terms
    .map(({ minus, text }, i) => (i === 0 ? `${minus ? '-' : ''}${text}` : ` ${minus ? '-' : '+'} ${text}`))
    .join('');
}

function floatCode(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : `${value}`;
}
