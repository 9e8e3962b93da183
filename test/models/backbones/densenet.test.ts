import { describe, expect, test } from 'vitest';
import { defineModel } from '../../../src/models/model.js';
import { DENSENET_GOLDENS, type DenseNetGolden } from '../../golden/densenet-golden.js';
import { expectDigest, relativeError } from '../../golden/digest.js';
import { runGolden } from '../run-golden.js';

/** The bound, as the L2 error of a tensor over its norm. */
const TOLERANCE = 1e-4;
/**
 * Each of 120 batch norms takes means out of the gradients that pass it, and rounding stays: PyTorch's float32 is itself off
 * by 1e-4 here. Of training's gradients, several times that is borne.
 */
const bound = ({ float32Error }: DenseNetGolden, mode: 'eval' | 'train') =>
  Math.max(TOLERANCE, 5 * (float32Error[`${mode}.gradients`]?.worst ?? 0));
const TIMEOUT = 400_000;

describe('DenseNets equal torchvision: logits, features, loss, gradients, running statistics', () => {
  for (const golden of DENSENET_GOLDENS) {
    for (const mode of ['eval', 'train'] as const) {
      test(
        `${golden.arch}, width ${golden.width ?? 64}, images [${golden.images}], ${mode}`,
        async () => {
          const expected = golden[mode];
          const actual = await runGolden(golden, mode);
          expect(relativeError(actual.logits, expected.logits.flat())).toBeLessThan(TOLERANCE);
          expect(relativeError(actual.values.get('features')!, expected.features.flat())).toBeLessThan(
            TOLERANCE,
          );
          expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
          for (const [name, digest] of Object.entries(expected.gradients ?? {})) {
            expectDigest(name, actual.gradients.get(name)!.data as Float32Array, digest, bound(golden, mode));
          }
          if (mode === 'train') {
            for (const [name, digest] of Object.entries(golden.train.runningStatistics)) {
              expectDigest(name, actual.running.get(name)!, digest, TOLERANCE);
            }
          }
        },
        TIMEOUT,
      );
    }
  }
});

test('stochastic depth is refused: there is nothing to leave out', () => {
  expect(() => defineModel({ arch: 'densenet121', classes: 3, dropPathRate: 0.1 })).toThrow(
    'model.dropPathRate must be 0',
  );
});
