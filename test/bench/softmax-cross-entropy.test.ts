import { expect, test } from 'vitest';
import { largestDifference } from '../../bench/agreement.js';
import { softmaxCrossEntropy } from '../../bench/networks/softmax-cross-entropy.js';
import { operandValues } from '../../bench/operand-values.js';
import { grad } from '../../src/kernels/common/grad.js';
import { traceLoss } from '../../src/losses/define/trace-loss.js';
import { evaluate } from '../device.js';

const [N, CLASSES] = [3, 10];
const logits = operandValues({ shape: [N, CLASSES] }, 0).map((x) => 5 * x);
const targets = operandValues({ shape: [N, CLASSES], fill: 'classes' }, 1);

test('labels name one class of each image', () => {
  for (let row = 0; row < N; row++) {
    const labels = targets.subarray(row * CLASSES, (row + 1) * CLASSES);
    expect([...labels].sort()).toEqual([...new Array(CLASSES - 1).fill(0), 1]);
  }
});

test('softmax cross-entropy and its gradient are what the float64 reference says', async () => {
  const shape = [N, CLASSES];
  const given = [
    { shape, values: logits },
    { shape, values: targets },
  ];
  const results = await evaluate(given, ([x, y]) => {
    const loss = traceLoss(softmaxCrossEntropy, {}, x!, y!, { reduction: 'mean' });
    return [loss, ...grad(loss, [x!])];
  });
  const bound = softmaxCrossEntropy.bind({});
  if (bound.kind !== 'batch') throw new Error('it compares entries of a row');
  const batch = { n: N, classes: CLASSES, logits, targets, reduction: 'mean' as const };
  const { value, gradient } = bound.reference(batch);
  expect(largestDifference([Float32Array.of(value), Float32Array.from(gradient)], results)).toBeLessThan(
    1e-5,
  );
  // of the definition, on logits that are all alike
  const flat = bound.reference({ ...batch, logits: new Float32Array(N * CLASSES) });
  expect(flat.value).toBeCloseTo(Math.log(CLASSES), 12);
});
