import { describe, expect, test } from 'vitest';
import { defineModel } from '../../../src/models/model.js';
import { type Digest, expectDigest, relativeError } from '../../golden/digest.js';
import { RESNET_GOLDENS } from '../../golden/resnet-golden.js';
import { runGolden } from '../run-golden.js';

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
          const values = actual.gradients.get(name)!.data as Float32Array;
          expectDigest(name, values, digest, TOLERANCE, sizeOf(name, digest, expected.gradients));
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

/**
 * What a bottleneck adds to all pixels of a channel is taken out again by the batch norms that follow, but for the ReLUs
 * that cut it: deep down, the gradient of such a bias is a sum that cancels, and rounding is as large as its terms say.
 */
function sizeOf(name: string, { norm }: Digest, gradients: Readonly<Record<string, Digest>>): number {
  const scale = name.endsWith('bn3.bias') ? gradients[name.replace('bias', 'weight')] : undefined;
  return Math.max(norm, scale?.norm ?? 0);
}

test('an unknown architecture is refused with the known ones', () => {
  expect(() => defineModel({ arch: 'resnet19', classes: 3 })).toThrow('known are resnet10, resnet18');
});
