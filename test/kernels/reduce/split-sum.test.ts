import { describe, test } from 'vitest';
import { applyOne, at, elementCount, type Op } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { type FinishingVariant, NO_EPILOGUE } from '../../../src/kernels/common/epilogue.js';
import { finishable } from '../../../src/kernels/common/finishable.js';
import { flatStep } from '../../../src/kernels/common/grid.js';
import { add, mul, relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { splitSum } from '../../../src/kernels/reduce/split-sum.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';
import { evaluate } from '../../device.js';
import { expectClose } from '../check-op.js';

const copied: FinishingVariant<undefined> = {
  name: 'copied',
  finishes: true,
  unfit: () => undefined,
  rank: () => 1,
  build({ inputs, outputs }, traits, epilogue = NO_EPILOGUE) {
    const elements = elementCount(at(outputs, 0).shape);
    const splits = at(at(inputs, 0).shape, 0);
    return splitSum({ splits, elements, traits, epilogue }, ({ target, epilogue: last }) => {
      const finish = last.emit(false);
      const step = {
        count: splits * elements,
        bindings: [
          { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
          ...finish.bindings,
          { name: 'y', operand: target, access: 'read_write', type: 'f32' },
        ],
        declarations: finish.declarations,
        body: `y[id] = finish(x[id], id, columnOperands(id % ${last.rowLength ?? 1}u));`,
      } as const;
      return [flatStep(step, traits)];
    });
  },
};

/** An op whose shares are given: [splits, …shape] → shape. */
const sharesOp: Op<undefined> = finishable({
  name: 'shares',
  infer: (inputs) => [{ shape: at(inputs, 0).shape.slice(1), dtype: 'f32' }],
  flops: () => 0,
  variants: [copied],
});

function operand(random: Random, shape: readonly number[]) {
  return { shape, values: Float32Array.from({ length: elementCount(shape) }, () => random.normal()) };
}

describe('shares are added up', () => {
  for (const [splits, rows, columns] of [
    [1, 5, 8],
    [2, 5, 8],
    [7, 6, 5],
    [9, 4, 7],
    [3, 30, 12],
    [300, 3, 8],
    [2500, 1, 12],
    [4100, 2, 3],
  ] as const) {
    test(`${splits} of ${rows}×${columns}, then scaled, with a row, a residual and ReLU`, async () => {
      const random = new Random(1, 'split-sum', splits, rows, columns);
      const operands = [
        operand(random, [splits, rows, columns]),
        operand(random, [columns]),
        operand(random, [rows, columns]),
        operand(random, [1]),
      ];
      const [y] = await evaluate(operands, ([x, row, residual, scale]) => [
        relu(add(add(mul(applyOne(sharesOp, [x!], undefined), scale!), row!), residual!)),
      ]);
      const [x, row, residual, scale] = operands.map(({ values }) => values);
      const expected = Float64Array.from({ length: rows * columns }, (_, i) => {
        let sum = 0;
        for (let split = 0; split < splits; split++) sum += x![split * rows * columns + i]!;
        return Math.max(0, sum * scale![0]! + row![i % columns]! + residual![i]!);
      });
      expectClose(y!, expected, 1e-6);
    });
  }

  test('and leave without more work where only the shape changes', async () => {
    const random = new Random(1, 'split-sum');
    const x = operand(random, [3, 4, 6]);
    const [y] = await evaluate([x], ([parts]) => {
      return [reshape(applyOne(sharesOp, [parts!], undefined), [2, 2, 6])];
    });
    const expected = Float64Array.from(
      { length: 24 },
      (_, i) => x.values[i]! + x.values[24 + i]! + x.values[48 + i]!,
    );
    expectClose(y!, expected, 1e-6);
  });
});
