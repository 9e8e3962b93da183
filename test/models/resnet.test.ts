import { describe, expect, test } from 'vitest';
import { defineModel } from '../../src/models/model.js';
import { expectDigest, relativeError } from '../golden/digest.js';
import { RESNET_GOLDENS } from '../golden/resnet-golden.js';
import { runGolden } from './run-golden.js';

/** The bound, as the L2 error of a tensor over its norm. */
const TOLERANCE = 1e-4;

describe('ResNets equal PyTorch', () => {
  for (const golden of RESNET_GOLDENS) {
    for (const mode of ['eval', 'train'] as const) {
      test(`${golden.arch}, ${golden.stem} stem, ${mode}: logits, loss, every parameter gradient`, async () => {
        const expected = golden[mode];
        const actual = await runGolden(golden, mode);
        expect(relativeError(actual.logits, expected.logits.flat())).toBeLessThan(TOLERANCE);
        expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
        for (const [name, digest] of Object.entries(expected.gradients)) {
          expectDigest(name, actual.gradients.get(name)!.data as Float32Array, digest, TOLERANCE);
        }
        if (mode === 'train') {
          for (const [name, digest] of Object.entries(golden.train.runningStatistics)) {
            expectDigest(name, actual.running.get(name)!, digest, TOLERANCE);
          }
        }
      });
    }
  }
});

test('an unknown architecture is refused with the known ones', () => {
  expect(() => defineModel({ arch: 'resnet19', classes: 3 })).toThrow('known are resnet10, resnet18');
});
