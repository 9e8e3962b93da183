import { describe, expect, test } from 'vitest';
import {
  at,
  type DeviceTraits,
  type DType,
  elementCount,
  type MatrixShape,
  type Problem,
  type TensorSpec,
} from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { type Epilogue, type FinishingVariant, NO_EPILOGUE } from '../../../src/kernels/common/epilogue.js';
import { type ConvGeometry, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { directionsBy, weightBiasGradientBy } from '../../../src/kernels/conv/conv-tile.js';
import { tiled } from '../../../src/kernels/product/bmm.js';
import type { BmmGeometry } from '../../../src/kernels/product/bmm-geometry.js';
import { matrixTilesOf } from '../../../src/kernels/product/tile-matrix.js';
import { testDevice } from '../../device.js';
import { RDNA3 } from '../../gpus.js';
import { expectClose } from '../check-op.js';
import { emulatedMatrices } from './emulated-matrices.js';
import { APPLE_F32, MATRICES } from './known-matrices.js';
import { runKernel, toHalf } from './run-kernel.js';

/**
 * The tiles of small matrices by the emulation: addressing, staging, edges, splits and the way out are the very code that
 * runs on matrix units. Held against float64 of the same rounded operands.
 */
const device = await testDevice();
const tiles = matrixTilesOf(emulatedMatrices);
const directions = directionsBy(tiles);

function traitsWith(matrix: MatrixShape, residentGroups = 8): DeviceTraits {
  const { maxInvocations, maxWorkgroupBytes } = device.traits;
  return { ...RDNA3, maxInvocations, maxWorkgroupBytes, matrices: [matrix], residentGroups };
}

interface Case<A> {
  readonly variants: readonly FinishingVariant<A>[];
  readonly attributes: A;
  readonly operands: readonly (readonly number[])[];
  readonly result: readonly number[];
  readonly reference: (operands: readonly Float64Array[]) => Float64Array;
}

interface Run {
  readonly tile?: string;
  readonly matrix?: MatrixShape;
  /** Storage of the operands and the result. */
  readonly stored?: readonly [DType, DType, DType];
  readonly residentGroups?: number;
  readonly finished?: boolean;
}

interface SumsRun extends Pick<Run, 'tile' | 'matrix' | 'residentGroups'> {
  readonly stored?: readonly [DType, DType];
}

/** Bias and ReLU. */
const biasAndRelu = (columns: number): Epilogue => ({
  rowLength: columns,
  emit: (vector) => ({
    bindings: [
      {
        name: 'biases',
        operand: { kind: 'input', index: 2 },
        access: 'read',
        type: vector ? 'vec4f' : 'f32',
      },
    ],
    declarations: `alias T = ${vector ? 'vec4f' : 'f32'};
alias ColumnOperands = T;
fn columnOperands(column: u32) -> ColumnOperands { return biases[column]; }
fn finish(value: T, i: u32, operands: ColumnOperands) -> T { return max(value + operands, T(0.0)); }
`,
  }),
});

/** @returns the number of dispatches */
async function check<A>(kind: Case<A>, run: Run = {}): Promise<number> {
  const { tile = 'matrix64x64', matrix = MATRICES.AMD, residentGroups, finished = false } = run;
  const held = matrix.operands;
  const stored = run.stored ?? [held, held, held];
  const traits = traitsWith(matrix, residentGroups);
  const random = new Random(1, 'tile-matrix', ...kind.operands.flat());
  const specs: TensorSpec[] = kind.operands.map((shape, i) => ({ shape, dtype: stored[i]! }));
  const output: TensorSpec = { shape: kind.result, dtype: stored[2] };
  const inputs = specs.map((spec) => ({
    ...spec,
    values: Float32Array.from({ length: elementCount(spec.shape) }, () => {
      const value = random.normal();
      return spec.dtype === 'f16' ? toHalf(value) : value;
    }),
  }));
  const problem: Problem<A> = { inputs: specs, outputs: [output], attributes: kind.attributes };
  const variant = kind.variants.find(({ name }) => name === `${tile}${held}`)!;
  expect(variant.unfit(problem, traits)).toBeUndefined();
  const columns = at(kind.result, -1);
  const kernel = variant.build(problem, traits, finished ? biasAndRelu(columns) : NO_EPILOGUE);
  const biases = Float32Array.from({ length: columns }, () => random.normal());
  const extra = finished ? [{ shape: [columns], dtype: 'f32' as const, values: biases }] : [];
  const [actual] = await runKernel(device, kernel, [...inputs, ...extra], [output]);
  // An operand in f32 is rounded on its way into small matrices of f16.
  const rounded = inputs.map(({ values }) =>
    Float64Array.from(values, (value) => (held === 'f16' ? toHalf(value) : value)),
  );
  const expected = kind.reference(rounded).map((value, i) => {
    return finished ? Math.max(0, value + biases[i % columns]!) : value;
  });
  // The result's own rounding, where it is stored as f16.
  expectClose(
    actual!,
    expected,
    output.dtype === 'f16' ? 2 ** -11 : 1e-5,
    JSON.stringify({ run, ...kind.operands }),
  );
  return kernel.steps.length;
}

/** Σ over all places where a weight meets a pixel. */
function meetings(g: ConvGeometry, visit: (x: number, w: number, y: number) => void): void {
  for (let n = 0; n < g.n; n++)
    for (let oy = 0; oy < g.oh; oy++)
      for (let ox = 0; ox < g.ow; ox++)
        for (let ky = 0; ky < g.kh; ky++)
          for (let kx = 0; kx < g.kw; kx++) {
            const iy = oy * g.strideY + ky * g.dilationY - g.padTop;
            const ix = ox * g.strideX + kx * g.dilationX - g.padLeft;
            if (iy < 0 || iy >= g.h || ix < 0 || ix >= g.w) continue;
            const pixel = ((n * g.h + iy) * g.w + ix) * g.c;
            const tap = (ky * g.kw + kx) * g.c;
            const out = ((n * g.oh + oy) * g.ow + ox) * g.o;
            for (let c = 0; c < g.c; c++)
              for (let o = 0; o < g.o; o++) visit(pixel + c, (tap + c) * g.o + o, out + o);
          }
}

type Direction = keyof typeof directions;

function conv(
  direction: Direction,
  x: readonly [number, number, number, number],
  [kh, kw, o]: readonly [number, number, number],
  options: Parameters<typeof convGeometry>[2] = {},
): Case<ConvGeometry> {
  const w = [kh, kw, x[3], o] as const;
  const g = convGeometry(x, w, options);
  const y = [g.n, g.oh, g.ow, g.o];
  const shapes = { forward: [x, w, y], inputGradient: [y, w, x], weightGradient: [x, y, w] }[direction];
  const sum = ([a, b]: readonly Float64Array[]) => {
    const total = new Float64Array(elementCount(shapes[2]!));
    meetings(g, (i, j, k) => {
      if (direction === 'forward') total[k]! += a![i]! * b![j]!;
      else if (direction === 'inputGradient') total[i]! += a![k]! * b![j]!;
      else total[j]! += a![i]! * b![k]!;
    });
    return total;
  };
  const variants = directions[direction];
  return { variants, attributes: g, operands: shapes.slice(0, 2), result: shapes[2]!, reference: sum };
}

function bmm({ batch, m, k, n, transposeA, transposeB }: BmmGeometry): Case<BmmGeometry> {
  return {
    variants: tiles.map(tiled),
    attributes: { batch, m, k, n, transposeA, transposeB },
    operands: [transposeA ? [batch, k, m] : [batch, m, k], transposeB ? [batch, n, k] : [batch, k, n]],
    result: [batch, m, n],
    reference: ([a, b]) =>
      Float64Array.from({ length: batch * m * n }, (_, i) => {
        const [number, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
        let sum = 0;
        for (let q = 0; q < k; q++) {
          sum +=
            a![number * m * k + (transposeA ? q * m + row : row * k + q)]! *
            b![number * k * n + (transposeB ? column * k + q : q * n + column)]!;
        }
        return sum;
      }),
  };
}

const DIRECTIONS: readonly Direction[] = ['forward', 'inputGradient', 'weightGradient'];

describe.runIf(device.traits.f16)('f16 with sums in f32, by the emulation', () => {
  test.each(Object.entries(MATRICES))('small matrices of %s', async (_, matrix) => {
    await check(conv('forward', [2, 9, 8, 16], [3, 3, 72], { padding: 1 }), { matrix });
  });

  test.each([
    ['matrix128x128', 'forward'],
    ['matrix128x64', 'weightGradient'],
    ['matrix64x128', 'inputGradient'],
  ] as const)('%s over several tiles, %s', async (tile, direction) => {
    await check(conv(direction, [1, 12, 11, 16], [3, 3, 136], { padding: 1 }), { tile });
  });

  // Rows, depths and columns just below, at and above the edges of tiles, slices and words.
  test.each(DIRECTIONS)('matrix products around the edges, %s', async (direction) => {
    for (const [rows, depth, columns] of [
      [64, 40, 64],
      [68, 32, 136],
      [65, 31, 63],
      [129, 33, 1],
    ] as const) {
      await check(conv(direction, [1, 1, rows, depth], [1, 1, columns]));
    }
  });

  test.each(DIRECTIONS)('steps of 2, dilation, %s', async (direction) => {
    await check(conv(direction, [2, 11, 13, 8], [3, 3, 12], { padding: 1, stride: 2 }));
    await check(conv(direction, [1, 12, 9, 24], [3, 2, 20], { padding: 2, dilation: 2 }));
  });

  test.each(['forward', 'weightGradient'] as const)('images without fours, %s', async (direction) => {
    await check(conv(direction, [1, 17, 19, 3], [7, 7, 64], { padding: 3, stride: 2 }));
  });

  test.each(DIRECTIONS)('a deep product is split, and finished in the last sum, %s', async (direction) => {
    const deep: Record<Direction, Case<ConvGeometry>> = {
      forward: conv('forward', [1, 2, 3, 520], [1, 1, 20]),
      inputGradient: conv('inputGradient', [1, 2, 3, 20], [1, 1, 520]),
      weightGradient: conv('weightGradient', [2, 20, 14, 8], [1, 1, 20]),
    };
    expect(await check(deep[direction], { residentGroups: 64, finished: true })).toBeGreaterThan(1);
  });

  test('bias and ReLU in the store, in fours and one by one', async () => {
    await check(conv('forward', [1, 9, 9, 16], [1, 1, 68]), { finished: true });
    await check(conv('forward', [1, 9, 9, 16], [1, 1, 67]), { finished: true });
  });

  test.each([
    ['forward', ['f16', 'f32', 'f32']],
    ['inputGradient', ['f32', 'f16', 'f16']],
    ['weightGradient', ['f16', 'f32', 'f32']],
  ] as const)('an operand that is stored as f32 is rounded to f16, %s', async (direction, stored) => {
    await check(conv(direction, [1, 6, 8, 16], [3, 3, 24], { padding: 1 }), { stored });
  });

  test.each([
    [false, false],
    [true, false],
    [false, true],
  ])('bmm, transposed: %s, %s', async (transposeA, transposeB) => {
    await check(bmm({ batch: 3, m: 68, k: 40, n: 72, transposeA, transposeB }));
  });
});

/** The column sums of dy, which come out beside the weight gradient. */
describe.runIf(device.traits.f16)('bias gradients, by the emulation', () => {
  const variants = weightBiasGradientBy(tiles);

  async function checkSums(
    { operands, result, attributes }: Case<ConvGeometry>,
    { tile = 'matrix64x64', stored = ['f16', 'f16'], matrix = MATRICES.AMD, residentGroups }: SumsRun = {},
  ): Promise<number> {
    const traits = traitsWith(matrix, residentGroups);
    const random = new Random(1, 'bias', ...operands.flat());
    const columns = at(result, -1);
    const inputs = operands.map((shape, i) => ({
      shape,
      dtype: stored[i]!,
      values: Float32Array.from({ length: elementCount(shape) }, () => toHalf(random.normal())),
    }));
    const outputs = [result, [columns]].map((shape) => ({ shape, dtype: 'f32' }) as const);
    const problem: Problem<ConvGeometry> = { inputs, outputs, attributes };
    const variant = variants.find(({ name }) => name === `${tile}${matrix.operands}`)!;
    expect(variant.unfit(problem, traits)).toBeUndefined();
    const kernel = variant.build(problem, traits);
    const [weights, sums] = await runKernel(device, kernel, inputs, outputs);
    const expected = new Float64Array(columns);
    for (const [i, value] of inputs[1]!.values.entries()) expected[i % columns]! += value;
    expectClose(sums!, expected, 1e-5, JSON.stringify({ tile, operands }));
    const { weightGradient } = directions;
    const alone = weightGradient.find(({ name }) => name === variant.name)!;
    const own = alone.build({ ...problem, outputs: outputs.slice(0, 1) }, traits);
    const [same] = await runKernel(device, own, inputs, outputs.slice(0, 1));
    expect(weights).toEqual(same);
    return kernel.steps.length - own.steps.length;
  }

  test.each(['matrix128x128', 'matrix64x128', 'matrix64x64'])('%s over several tiles', async (tile) => {
    const more = await checkSums(conv('weightGradient', [1, 12, 11, 72], [1, 1, 136]), { tile });
    expect(more).toBe(0);
  });

  test('a depth in shares', async () => {
    const more = await checkSums(conv('weightGradient', [2, 20, 14, 8], [1, 1, 20]), { residentGroups: 64 });
    expect(more).toBe(0);
  });

  test('where dy has no fours, or is stored as f32, a sum follows', async () => {
    expect(await checkSums(conv('weightGradient', [1, 9, 9, 16], [1, 1, 19]))).toBeGreaterThan(0);
    const stored = ['f16', 'f32'] as const;
    expect(await checkSums(conv('weightGradient', [1, 9, 9, 16], [1, 1, 20]), { stored })).toBeGreaterThan(0);
  });

  test('small matrices of f32', async () => {
    const run = { stored: ['f32', 'f32'], matrix: APPLE_F32 } as const;
    expect(await checkSums(conv('weightGradient', [1, 12, 11, 8], [1, 1, 72]), run)).toBe(0);
  });
});

describe('f32, by the emulation', () => {
  test.each(DIRECTIONS)('3×3, %s', async (direction) => {
    await check(conv(direction, [2, 9, 8, 16], [3, 3, 72], { padding: 1 }), { matrix: APPLE_F32 });
  });
});

test('two operands in f32 never meet in f16', () => {
  const { variants, attributes, operands, result } = conv('forward', [1, 8, 8, 16], [1, 1, 16]);
  const f32 = (shape: readonly number[]): TensorSpec => ({ shape, dtype: 'f32' });
  const problem = { inputs: operands.map(f32), outputs: [f32(result)], attributes };
  for (const variant of variants) expect(variant.unfit(problem, traitsWith(MATRICES.AMD))).toBeDefined();
});
