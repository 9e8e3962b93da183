import { ShapeError } from '../../engine/errors.js';
import { applyOne, at, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';

/** Pictures that are mixed with a partner: blended, or with a box of it in their place (mixup and CutMix). */

/** How a picture is mixed; see src/data/images/mix.ts. */
export interface PictureMix {
  /** Of the picture outside of the box; its partner has the rest. */
  readonly weight: number;
  /** In pixels, without the last row and column; inside, there is the partner alone. */
  readonly box: Readonly<Record<'top' | 'left' | 'bottom' | 'right', number>> | null;
}

/** Weight, and the box. */
const NUMBERS = 5;

/** The shape of the table for `n` pictures; f32. */
export function mixesShape(n: number): [number, number] {
  return [n, NUMBERS];
}

/** The table of a batch. Those without a mix, and those beyond the last, stay alone. */
export function packMixes(mixes: readonly (PictureMix | null)[], n: number): Float32Array<ArrayBuffer> {
  if (mixes.length > n) throw new RangeError(`${mixes.length} mixes for a batch of ${n}`);
  const table = new Float32Array(n * NUMBERS);
  for (let i = 0; i < n; i++) {
    const { weight, box } = mixes[i] ?? { weight: 1, box: null };
    table.set([weight, box?.top ?? 0, box?.left ?? 0, box?.bottom ?? 0, box?.right ?? 0], i * NUMBERS);
  }
  return table;
}

/**
 * @param grey [2·n, h, w]: each picture, and behind it its partner @param mixes [n, 5], see `packMixes`
 * @returns [n, h, w]
 */
export function mixGrey(grey: Tensor, mixes: Tensor): Tensor {
  return applyOne(mixGreyOp, [grey, mixes], {});
}

/** Training data have no gradient. */
export const mixGreyOp: Op<Record<string, never>> = {
  name: 'mixGrey',
  rows: (problem) => byFirstAxis(problem, [true, true]),
  infer([grey, mixes]) {
    const [planes = 0, h = 0, w = 0] = grey?.shape ?? [];
    const fits =
      grey?.dtype === 'f32' &&
      mixes?.dtype === 'f32' &&
      grey.shape.length === 3 &&
      mixes.shape.length === 2 &&
      planes === 2 * at(mixes.shape, 0) &&
      mixes.shape[1] === NUMBERS;
    if (!fits) {
      throw new ShapeError(
        `mixGrey: needs [2·n, h, w] and [n, ${NUMBERS}], got ${grey && describe(grey)}, ${mixes && describe(mixes)}`,
      );
    }
    return [{ shape: [planes / 2, h, w], dtype: 'f32' }];
  },
  flops: ({ outputs: [mixed] }) => 3 * elementCount(mixed?.shape ?? []),
  variants: [
    {
      name: 'pixels',
      unfit: () => undefined,
      rank: () => 1,
      build({ outputs: [mixed] }, traits) {
        const [, h, w] = [at(mixed?.shape ?? [], 0), at(mixed?.shape ?? [], 1), at(mixed?.shape ?? [], 2)];
        const unit = w % 4 === 0 ? 4 : 1;
        const type = unit === 4 ? 'vec4f' : 'f32';
        const texels = w / unit;
        const column = unit === 4 ? 'vec4f(left) + vec4f(0.0, 1.0, 2.0, 3.0)' : 'left';
        const step = streamStep(
          {
            count: elementCount(mixed?.shape ?? []) / unit,
            bindings: [
              { name: 'grey', operand: { kind: 'input', index: 0 }, access: 'read', type },
              { name: 'mixes', operand: { kind: 'input', index: 1 }, access: 'read', type: 'f32' },
              { name: 'mixed', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
            ],
            declarations: `fn mixAt(i: u32) -> ${type} {
  let picture = i / ${h * texels}u;
  let place = i % ${h * texels}u;
  let row = f32(place / ${texels}u);
  let left = f32(place % ${texels}u * ${unit}u);
  let column = ${column};
  let own = grey[picture * ${2 * h * texels}u + place];
  let partner = grey[picture * ${2 * h * texels}u + ${h * texels}u + place];
  let m = picture * ${NUMBERS}u;
  let weight = mixes[m];
  let inRows = row >= mixes[m + 1u] && row < mixes[m + 3u];
  let inside = (column >= ${type}(mixes[m + 2u])) & (column < ${type}(mixes[m + 4u]));
  let outside = weight * own + (1.0 - weight) * partner;
  return select(outside, select(outside, partner, inside), inRows);
}
`,
            each: 'mixed[i] = mixAt(i);',
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
