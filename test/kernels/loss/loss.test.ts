import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { elementCount, Graph, type Shape, type Tensor } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { fusedLoss } from '../../../src/kernels/loss/loss.js';
import { evaluate, planRows } from '../../device.js';
import { checkOp } from '../check-op.js';

/** A loss simple enough that only the kernel around it can be wrong: b·(x − a·y)² with class constants a and b. */
const squared = {
  name: 'squared',
  code: `fn loss(x: f32, y: f32, a: f32, b: f32) -> vec2f {
    let d = x - a * y;
    return vec2f(b * d * d, 2.0 * b * d);
  }`,
  smoothing: 0,
  flops: 5,
  reduction: 'sum' as const,
};
/** (x − y)², without constants. */
const plain = {
  ...squared,
  name: 'plain',
  code: 'fn loss(x: f32, y: f32) -> vec2f { let d = x - y; return vec2f(d * d, 2.0 * d); }',
};

/** s·(x − y/(1 + r))² with a class constant a, r = Σ a·y over the row's known entries, and a scheduled number s. */
const ofRow = {
  ...squared,
  name: 'ofRow',
  code: `fn rowTerm(y: f32, a: f32) -> f32 { return a * y; }
  fn loss(x: f32, y: f32, a: f32, row: f32, s: f32) -> vec2f {
    let d = x - y / (1.0 + row);
    return vec2f(s * d * d, 2.0 * s * d);
  }`,
  row: true,
};

const NAN = Number.NaN;

/** A target that is 0, 1, in between, or unknown. */
const label = (random: Random) => random.pick([0, 1, random.uniform(), NAN]);

describe('fused loss', () => {
  const shapes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.nat(1000));

  test('sum, gradient, mask, class constants and sample weights equal float64, on any shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, ([n, c, seed]) =>
        checkOp({
          shapes: [[n, c], [n, c], [2, c], [n]],
          differentiable: [true, false, false, false],
          fill: (random, k) => (k === 1 ? label(random) : k === 3 ? random.uniform() : random.normal(0, 2)),
          build: ([x, y, constants, weights]) => fusedLoss(squared, x!, y!, { constants, weights }),
          reference: ([x, y, k, w]) => {
            let total = 0;
            for (let i = 0; i < n * c; i++) {
              const [a, b] = [k![i % c]!, k![c + (i % c)]!];
              if (!Number.isNaN(y![i]!)) total += w![Math.floor(i / c)]! * b * (x![i]! - a * y![i]!) ** 2;
            }
            return Float64Array.of(total);
          },
          seed,
        }),
      ),
      { numRuns: 6, examples: [[[1, 1, 0]], [[9, 4, 1]], [[3, 7, 2]]] },
    );
  });

  test.each(['mean', 'batchmean'] as const)('%s, with sample weights, on any shape', async (reduction) => {
    await fc.assert(
      fc.asyncProperty(shapes, ([n, c, seed]) =>
        checkOp({
          shapes: [[n, c], [n, c], [n]],
          differentiable: [true, false, false],
          fill: (random, k) => (k === 1 ? label(random) : k === 2 ? random.uniform() : random.normal(0, 2)),
          build: ([x, y, weights]) => fusedLoss({ ...plain, reduction }, x!, y!, { weights }),
          reference: ([x, y, w]) => {
            let [total, known] = [0, 0];
            for (let i = 0; i < n * c; i++) {
              if (Number.isNaN(y![i]!)) continue;
              total += w![Math.floor(i / c)]! * (x![i]! - y![i]!) ** 2;
              known += w![Math.floor(i / c)]!;
            }
            return Float64Array.of(total / (reduction === 'mean' ? known || 1 : n));
          },
          seed,
        }),
      ),
      { numRuns: 3, examples: [[[1, 1, 0]], [[300, 36, 1]], [[3, 7, 2]]] },
    );
  });

  test.each(['mean', 'sum'] as const)(
    '%s of entries that depend on their row and on a scheduled number, on any shape',
    async (reduction) => {
      await fc.assert(
        fc.asyncProperty(shapes, ([n, c, seed]) =>
          checkOp({
            shapes: [[n, c], [n, c], [1, c], [n], [1]],
            differentiable: [true, false, false, false, false],
            fill: (random, k) => (k === 1 ? label(random) : k === 0 ? random.normal(0, 2) : random.uniform()),
            build: ([x, y, constants, weights, scheduled]) =>
              fusedLoss({ ...ofRow, reduction }, x!, y!, { constants, weights, scheduled }),
            reference: ([x, y, a, w, s]) => {
              let [total, known] = [0, 0];
              for (let i = 0; i < n; i++) {
                const columns = Array.from({ length: c }, (_, j) => j).filter(
                  (j) => !Number.isNaN(y![i * c + j]!),
                );
                const row = columns.reduce((sum, j) => sum + a![j]! * y![i * c + j]!, 0);
                for (const j of columns)
                  total += w![i]! * s![0]! * (x![i * c + j]! - y![i * c + j]! / (1 + row)) ** 2;
                known += w![i]! * columns.length;
              }
              return Float64Array.of(total / (reduction === 'mean' ? known || 1 : 1));
            },
            seed,
          }),
        ),
        { numRuns: 2, examples: [[[1, 1, 0]], [[300, 36, 1]], [[3, 400, 2]]] },
      );
    },
  );

  test('the gradient is the kernel’s own where nothing scales the loss, in one dispatch where it is small', async () => {
    const rows = await planRows((graph) => {
      const x = graph.input('x', [256, 30]);
      const loss = fusedLoss({ ...plain, reduction: 'mean' }, x, graph.input('y', [256, 30]));
      return [loss, ...grad(loss, [x])];
    });
    expect(rows.map(({ op, variant, dispatches }) => [op, variant, dispatches])).toEqual([
      ['fusedLoss', 'single', 1],
    ]);
  });

  test.each([[[1, 4_000]], [[5_000, 1]], [[5_000, 3]], [[900, 36]], [[2, 3_999]]])(
    'many entries, summed over several levels: %j',
    async ([n, c]) => {
      await checkOp({
        shapes: [
          [n!, c!],
          [n!, c!],
        ],
        differentiable: [true, false],
        fill: (random, k) => (k === 1 ? label(random) : random.normal()),
        build: ([x, y]) => fusedLoss({ ...plain, smoothing: 0.25 }, x!, y!),
        reference: ([x, y]) =>
          Float64Array.of(
            x!.reduce(
              (sum, value, i) => (Number.isNaN(y![i]!) ? sum : sum + (value - (y![i]! * 0.75 + 0.125)) ** 2),
              0,
            ),
          ),
        tolerance: 2e-6,
      });
    },
  );

  const run = async (shape: Shape, logits: ArrayLike<number>, targets: ArrayLike<number>, variant: string) =>
    evaluate(
      [logits, targets].map((values) => ({ shape, values: Float32Array.from(values) })),
      ([x, y]) => {
        const total = fusedLoss(plain, x!, y!);
        return [total, ...grad(total, [x!])];
      },
      { fusedLoss: variant },
    );

  for (const variant of ['single', 'serial', 'tree']) {
    test(`unknown entries have a gradient of exactly 0 whatever their logit; a broken logit is seen (${variant})`, async () => {
      // NaN in all its spellings: sign, quiet or not, payload.
      const unknown = new Float32Array(Uint32Array.of(0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff).buffer);
      const logits = [NAN, 1e4, Number.POSITIVE_INFINITY, -3];
      const [total, gradient] = await run([1, 4], logits, unknown, variant);
      expect([...total!, ...gradient!]).toEqual([0, 0, 0, 0, 0]);

      for (const broken of [NAN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const [value, slopes] = await run([1, 3], [2, broken, 5], [1, 0, NAN], variant);
        expect([...value!]).toEqual([NAN]);
        expect([...slopes!]).toEqual([2, NAN, 0]);
      }
    });

    test(`the same bits at every run (${variant})`, async () => {
      const random = new Random(3);
      const shape = [257, 30];
      const logits = Float32Array.from({ length: elementCount(shape) }, () => random.normal());
      const targets = logits.map(() => label(random));
      const [first, second] = [
        await run(shape, logits, targets, variant),
        await run(shape, logits, targets, variant),
      ];
      expect(second).toEqual(first);
    });
  }

  test('operands that do not fit are refused when traced', () => {
    const graph = new Graph();
    const input = (...shape: number[]): Tensor => graph.input(`${graph.inputs.size}`, shape);
    const x = input(3, 4);
    expect(() => fusedLoss(plain, input(4), x)).toThrow(/logits must be \[N, C\]/);
    expect(() => fusedLoss(plain, x, input(4, 3))).toThrow(ShapeError);
    expect(() => fusedLoss(squared, x, x, { constants: input(2, 3) })).toThrow(/class constants/);
    expect(() => fusedLoss(plain, x, x, { weights: input(4) })).toThrow(/sample weights/);
    expect(() => fusedLoss(plain, x, x, { scheduled: input(2, 1) })).toThrow(/scheduled numbers/);
  });
});
