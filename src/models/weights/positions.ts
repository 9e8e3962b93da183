import { elementCount } from '../../engine/graph/tensor.js';
import type { PositionGrid } from '../position-grid.js';
import { type SafetensorsTensor, toFloat32 } from '../safetensors/safetensors.js';

/** Rows and columns of patches. */
export interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Position embeddings for another grid than they were learned on, as timm's `resample_abs_pos_embed` has them.
 *
 * A file says how many positions there are and not how they lie: a square is assumed.
 * @param embedding [1, tokens, c]
 * @returns [1, prefix + rows · columns, c] and the side that was assumed; null where the positions are no square
 */
export function resamplePositions(
  embedding: SafetensorsTensor,
  { prefix, rows, columns }: PositionGrid,
): { readonly tensor: SafetensorsTensor; readonly side: number } | null {
  const [one = 0, tokens = 0] = embedding.shape;
  const side = Math.sqrt(tokens - prefix);
  if (embedding.shape.length !== 3 || one !== 1 || !Number.isInteger(side) || side < 1) return null;
  const from = { rows: side, columns: side };
  return { tensor: resampleGrid(embedding, { prefix, from, to: { rows, columns } }), side };
}

/**
 * The embeddings of the patches are taken as an image of c channels and resized, bicubic with antialiasing; those in front
 * stay.
 * @param embedding [..., prefix + from.rows · from.columns, c], the axes in front 1
 */
export function resampleGrid(
  embedding: SafetensorsTensor,
  { prefix, from, to }: { readonly prefix: number; readonly from: Grid; readonly to: Grid },
): SafetensorsTensor {
  const channels = embedding.shape.at(-1) ?? 0;
  const values = toFloat32(embedding);
  const patches = values.subarray(prefix * channels);
  const down = resizeAxis(patches, [1, from.rows, from.columns * channels], to.rows);
  const across = resizeAxis(down, [to.rows, from.columns, channels], to.columns);
  const shape = [...embedding.shape.slice(0, -2), prefix + to.rows * to.columns, channels];
  const data = new Float32Array(elementCount(shape));
  data.set(values.subarray(0, prefix * channels));
  data.set(across, prefix * channels);
  return { dtype: 'F32', shape, data };
}

/** [outer, from, inner] → [outer, to, inner] */
function resizeAxis(
  values: ArrayLike<number>,
  [outer, from, inner]: readonly [number, number, number],
  to: number,
): Float64Array {
  const result = new Float64Array(outer * to * inner);
  for (let i = 0; i < to; i++) {
    const { first, weights } = window(i, from, to);
    for (const [k, weight] of weights.entries()) {
      for (let o = 0; o < outer; o++) {
        const target = (o * to + i) * inner;
        const source = (o * from + first + k) * inner;
        for (let j = 0; j < inner; j++)
          result[target + j] = (result[target + j] ?? 0) + weight * (values[source + j] ?? 0);
      }
    }
  }
  return result;
}

/** Which elements of `from` make element i of `to`, and how much each weighs. */
function window(i: number, from: number, to: number): { first: number; weights: number[] } {
  const scale = from / to;
  // Antialiasing: where elements get fewer, the kernel grows with the distance of the new ones.
  const stretch = Math.max(scale, 1);
  const centre = scale * (i + 0.5);
  const first = Math.max(Math.trunc(centre - 2 * stretch + 0.5), 0);
  const end = Math.min(Math.trunc(centre + 2 * stretch + 0.5), from);
  const raw = Array.from({ length: end - first }, (_, k) => cubic((first + k - centre + 0.5) / stretch));
  const total = raw.reduce((sum, weight) => sum + weight);
  return { first, weights: raw.map((weight) => weight / total) };
}

/** Keys' cubic kernel of a = −½, as PyTorch's with antialiasing. */
function cubic(x: number): number {
  const a = -0.5;
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((t - 5) * t + 8) * t * a - 4 * a;
  return 0;
}
